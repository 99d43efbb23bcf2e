"""The README's request gives the README's answer, from the shipped model."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.service.serving import serving, settings_for
from trainer.__main__ import main

README = (REPOSITORY / "README.md").read_text()
SHIPPED_LIMIT_BYTES = 12 * 2**20


def command(start: str) -> list[str]:
    """The words of the README's command that starts so."""
    (line,) = (line for line in README.splitlines() if line.startswith(start))
    return shlex.split(line)


def printed(name: str) -> dict[str, float]:
    """The first object of that name in the README's answer."""
    found = re.search(rf'"{name}": (\{{[^}}]*\}})', README)
    assert found
    shown: dict[str, float] = json.loads(found[1])
    return shown


def test_the_request_gives_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command(".venv/bin/python -m trainer synth")[3:]) == 0
    (form,) = (word for word in command("curl") if word.startswith("file=@"))
    page = Path(form.removeprefix("file=@")).read_bytes()
    with serving(settings_for(REPOSITORY / "models")) as client:
        answer = client.post("/classify", files={"file": page}).json()
    assert answer["probabilities"] == pytest.approx(printed("probabilities"), abs=1e-4)
    assert answer["model"] == printed("model")
    assert answer["image"]["width_px"] == printed("image")["width_px"]
    assert f'"predicted_class": "{answer["predicted_class"]}"' in README
    assert answer["leads"][0]["lead"] == "I"


def test_every_page_of_the_documents_exists() -> None:
    for document in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_shipped_models_stay_small() -> None:
    files = [path for path in (REPOSITORY / "models").rglob("*") if path.is_file() and "cnn" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= SHIPPED_LIMIT_BYTES
