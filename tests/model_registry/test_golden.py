"""Recorded answers: the tensor is the same everywhere, and what is published about it is held to a form."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from model_registry.errors import MalformedFileError
from model_registry.golden import GOLDEN_FILE, Golden, golden_tensor, record_golden
from model_registry.registry import Registry
from shared_preproc.masks import INK
from shared_preproc.spec import MASKS_150, TRACES_50_HZ, PreprocSpec
from shared_preproc.tensor import Tensor
from tests.bundles import publish_tiny

# Of the bytes, little-endian: bundles that are published hold answers to these very tensors.
RECIPE = [
    (MASKS_150, "e85225daf6e13707eb1be4e1b4caf6bb21575a62ecb65ef3c7de2a11010f397c"),
    (TRACES_50_HZ, "065dbb216349391506222a698bd8443220232b7c8f89baa616626846f0433a88"),
]


@pytest.mark.parametrize(("spec", "sha256"), RECIPE)
def test_the_recipe_never_changes(spec: PreprocSpec, sha256: str) -> None:
    tensor = golden_tensor(spec, seed=0, pages=2)
    assert tensor.shape == (2, *spec.tensor_shape)
    assert tensor.dtype.name == spec.tensor_dtype
    assert hashlib.sha256(tensor.tobytes()).hexdigest() == sha256


def test_masks_are_drawn_curves() -> None:
    masks = golden_tensor(MASKS_150, seed=0, pages=1)
    assert set(np.unique(masks)) == {0, INK}
    ink = (masks == INK).sum(axis=2)
    assert ink.min() >= 2
    assert ink.max() <= 3


def test_traces_are_millivolts_within_their_stroke() -> None:
    signal, top, bottom = np.moveaxis(golden_tensor(TRACES_50_HZ, seed=0, pages=1)[0], -1, 0)
    assert np.abs(signal).max() <= 1
    assert signal.std() > 0.1
    assert (bottom < signal).all()
    assert (signal < top).all()


def test_another_seed_gives_other_curves() -> None:
    assert (golden_tensor(TRACES_50_HZ, 0, 1) != golden_tensor(TRACES_50_HZ, 1, 1)).any()


def answer(tensor: Tensor) -> Any:
    return np.full((len(tensor), 4), 0.25, np.float32)


def test_what_was_recorded_is_published_and_read_back(registry: Registry) -> None:
    ref = publish_tiny(registry, files={GOLDEN_FILE: record_golden(MASKS_150, answer, seed=7)})
    golden = registry.load(ref).golden
    assert golden
    assert (golden.seed, golden.page_probabilities[0]) == (7, (0.25,) * 4)
    tensor = golden.tensor(MASKS_150)
    assert golden.largest_difference(answer(tensor)) == 0
    assert golden.largest_difference(answer(tensor) + np.float32(0.01)) == pytest.approx(0.01)


@pytest.mark.parametrize("other", [np.full((3, 3), 0.25), np.full((2, 4), 0.25), np.full((3, 4), np.nan)])
def test_an_answer_of_another_kind_is_far_away(other: Any) -> None:
    golden = Golden.model_validate_json(record_golden(MASKS_150, answer))
    assert golden.largest_difference(other.astype(np.float32)) == float("inf")


def test_a_bundle_without_one_is_a_bundle(registry: Registry) -> None:
    assert registry.load(publish_tiny(registry)).golden is None


WHOLE = {"recipe": "curves-1", "seed": 0, "page_probabilities": [[0.25] * 4]}


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": "curves-2"},
        {"seed": -1},
        {"page_probabilities": []},
        {"page_probabilities": [[0.5, 0.5]]},
        {"page_probabilities": [[2.0, 0.0, 0.0, 0.0]]},
        {"more": 1},
    ],
)
def test_one_that_cannot_be_used_is_refused_at_publication(registry: Registry, change: dict[str, Any]) -> None:
    content = json.dumps(WHOLE | change).encode()
    with pytest.raises(MalformedFileError, match=r"golden\.json"):
        publish_tiny(registry, files={GOLDEN_FILE: content})
