"""The fingerprint stands for every number."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from shared_preproc.layout import Box
from shared_preproc.leads import Lead
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks, preprocess
from shared_preproc.spec import MASKS_150, TRACES_50_HZ, PreprocSpec, TraceTensor
from shared_preproc.traces import page_traces
from tests.factories import page_jpeg


def changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Every value that differs from ``value``, a dataclass or a plain one, in one number or name, and where."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for where, other in changed(getattr(value, field.name)):
                yield f"{field.name}.{where}", replace(value, **{field.name: other})
    elif isinstance(value, tuple):
        for place, member in enumerate(value):
            for where, other in changed(member):
                members = (*value[:place], other, *value[place + 1 :])
                yield f"{place}.{where}", Box(*members) if isinstance(value, Box) else members
    elif not isinstance(value, Lead):  # a layout refuses other names
        yield "", value + ("x" if isinstance(value, str) else 1)


CHANGED = [*changed(MASKS_150), *changed(TRACES_50_HZ)]


@pytest.mark.parametrize("spec", [spec for _, spec in CHANGED], ids=[where for where, _ in CHANGED])
def test_fingerprint_changes_with_every_number(spec: PreprocSpec) -> None:
    assert spec.fingerprint not in {MASKS_150.fingerprint, TRACES_50_HZ.fingerprint}


@pytest.mark.parametrize(
    ("spec", "fingerprint"),
    [
        (MASKS_150, "68072b1ce5e37f3a0f1ba239b14569813640124044cf23dccbdc855c58fbb3d4"),
        (TRACES_50_HZ, "c68727fd878b84089828cad70e263dda0fbfb5798f7fd6ca7506d5755a091458"),
    ],
)
def test_fingerprints_of_published_bundles_stay(spec: PreprocSpec, fingerprint: str) -> None:
    assert spec.fingerprint == fingerprint


@pytest.mark.parametrize("spec", [MASKS_150, TRACES_50_HZ])
def test_spec_survives_json(spec: PreprocSpec) -> None:
    adapter = TypeAdapter(PreprocSpec)
    again = adapter.validate_json(adapter.dump_json(spec))
    assert again == spec
    assert again.fingerprint == spec.fingerprint


@pytest.mark.parametrize("spec", [MASKS_150, TRACES_50_HZ])
def test_a_tensor_is_what_its_spec_says(spec: PreprocSpec) -> None:
    tensor = preprocess(page_jpeg(), spec)
    assert tensor.shape == spec.tensor_shape
    assert tensor.dtype == spec.tensor_dtype


def test_trace_tensor_is_in_page_order() -> None:
    tensor = preprocess(page_jpeg(), TRACES_50_HZ)
    assert tensor.shape == (12 * 125 + 500, 3)
    spec = TRACES_50_HZ.tensor
    assert isinstance(spec, TraceTensor)
    masks = page_masks(decode_page(page_jpeg(), TRACES_50_HZ.layout), TRACES_50_HZ)
    traces = page_traces(masks, TRACES_50_HZ.layout, spec.trace)
    np.testing.assert_array_equal(tensor[125:250, 0], traces[Lead.AVR].signal_mv)
    np.testing.assert_array_equal(tensor[1500:, 2], traces[Lead.RHYTHM_STRIP].bottom_mv)
