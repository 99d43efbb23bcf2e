"""The fingerprint stands for every number."""

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared_preproc.layout import Box
from shared_preproc.spec import MASKS_150, PreprocSpec


def changed_specs() -> Iterator[tuple[str, PreprocSpec]]:
    """Every spec that differs from `MASKS_150` in one number, name or box."""
    for field in fields(PreprocSpec):
        value: Any = getattr(MASKS_150, field.name)
        if field.name != "layout":
            yield field.name, replace(MASKS_150, **{field.name: value + 1})
    layout = MASKS_150.layout
    for field in fields(layout):
        value = getattr(layout, field.name)
        if field.name == "lead_boxes":
            continue
        other: Any = value + "x" if isinstance(value, str) else value + 1
        yield f"layout.{field.name}", replace(MASKS_150, layout=replace(layout, **{field.name: other}))
    for place, (lead, box) in enumerate(layout.lead_boxes):
        for edge in range(4):
            moved = Box(*(value + (number == edge) for number, value in enumerate(box)))
            boxes = (*layout.lead_boxes[:place], (lead, moved), *layout.lead_boxes[place + 1 :])
            yield f"{lead}.{edge}", replace(MASKS_150, layout=replace(layout, lead_boxes=boxes))


@pytest.mark.parametrize(("what", "spec"), list(changed_specs()))
def test_fingerprint_changes_with_every_number(what: str, spec: PreprocSpec) -> None:
    assert spec.fingerprint != MASKS_150.fingerprint, what


def test_fingerprint_is_stable() -> None:
    assert MASKS_150.fingerprint == "6c211420b4ef42822d50385dd06e7f40861d66621d458336be113d4c5b88827e"


def test_spec_survives_json() -> None:
    adapter = TypeAdapter(PreprocSpec)
    again = adapter.validate_json(adapter.dump_json(MASKS_150))
    assert again == MASKS_150
    assert again.fingerprint == MASKS_150.fingerprint
    assert asdict(again) == asdict(MASKS_150)
