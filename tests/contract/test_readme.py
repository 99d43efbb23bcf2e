"""The README's request gives the README's answer, from the shipped model."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.contract.readme_answer import real_answer, shortened, shown_answer

SHIPPED_LIMIT_BYTES = 12 * 2**20
EACH_TIME_ANOTHER = {"request_id", "timings_ms"}
OF_THE_JPEG_LIBRARY = {"sha256"}


def test_the_request_gives_the_answer(tmp_path: Path) -> None:
    """Where a new model gives another one, `python -m tests.contract.readme_answer` writes it anew."""
    answer, shown = shortened(real_answer(tmp_path)), shown_answer()
    assert list(shown) == list(answer)
    assert list(shown["timings_ms"]) == list(answer["timings_ms"])
    assert without_chance(shown) == nearly(without_chance(answer))


def without_chance(answer: dict[str, Any]) -> dict[str, Any]:
    image = {name: value for name, value in answer["image"].items() if name not in OF_THE_JPEG_LIBRARY}
    return {name: value for name, value in answer.items() if name not in EACH_TIME_ANOTHER} | {"image": image}


def nearly(value: Any) -> Any:
    """Equal to the same with other last places: libraries differ in them from machine to machine."""
    if isinstance(value, dict):
        return {name: nearly(one) for name, one in value.items()}
    if isinstance(value, list):
        return [nearly(one) for one in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


def test_every_page_of_the_documents_exists() -> None:
    for document in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_shipped_models_stay_small() -> None:
    files = [path for path in (REPOSITORY / "models").rglob("*") if path.is_file() and "cnn" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= SHIPPED_LIMIT_BYTES
