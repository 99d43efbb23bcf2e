"""The request that README.md shows, and its answer: ``python -m tests.contract.readme_answer`` writes it anew."""

import json
import re
import shlex
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conftest import REPOSITORY
from tests.service.serving import serving, settings_for
from trainer.__main__ import main

__all__ = ["real_answer", "shortened", "shown_answer"]

README = REPOSITORY / "README.md"
MODELS = REPOSITORY / "models"
WIDTH = 118
FINDINGS_SHOWN = 3
FINDINGS_LEFT_OUT = "… 32 in all"
LEADS_LEFT_OUT = "… then II III aVR aVL aVF V1 V2 V3 V4 V5 V6 and rhythm_strip: 13 in all"
_BLOCK = re.compile(r"(?<=```json\n).*?(?=\n```)", re.DOTALL)


def shown_answer() -> dict[str, Any]:
    """What README.md says that the service answers."""
    (block,) = _BLOCK.findall(README.read_text())
    answer: dict[str, Any] = json.loads(block)
    return answer


def real_answer(folder: Path) -> dict[str, Any]:
    """What the service answers with the shipped model; pages are drawn into ``folder``, as README.md says."""
    with chdir(folder):
        assert main(_command(".venv/bin/python -m trainer synth")[3:]) == 0
        (form,) = (word for word in _command("curl") if word.startswith("file=@"))
        page = Path(form.removeprefix("file=@")).read_bytes()
    with serving(settings_for(MODELS)) as client:
        answer: dict[str, Any] = client.post("/classify", files={"file": page}).json()
    return answer


def shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its first lead and its first findings alone."""
    findings = [*answer["findings"][:FINDINGS_SHOWN], FINDINGS_LEFT_OUT]
    return answer | {"findings": findings, "leads": [answer["leads"][0], LEADS_LEFT_OUT]}


def _command(start: str) -> list[str]:
    """The words of the README's command that starts so."""
    (line,) = (line for line in README.read_text().splitlines() if line.startswith(start))
    return shlex.split(line)


def _written(answer: dict[str, Any]) -> str:
    """The answer as JSON, each field on a line of its own or, where `WIDTH` is too little, on several."""
    return "{\n" + ",\n".join(f' "{name}": {_laid_out(value, 2)}' for name, value in answer.items()) + "\n}"


def _laid_out(value: object, indent: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and indent + len(flat) > WIDTH:
        items = [f'"{name}": {_laid_out(one, indent + 2)}' for name, one in value.items()]
        return "{" + _filled(items, indent) + "}"
    if isinstance(value, list) and indent + len(flat) > WIDTH:
        return "[" + _filled([_laid_out(one, indent + 1) for one in value], indent) + "]"
    return flat


def _filled(items: list[str], indent: int) -> str:
    lines = items[:1]
    for item in items[1:]:
        if "\n" in lines[-1] + item or indent + len(lines[-1]) + len(item) > WIDTH:
            lines.append(item)
        else:
            lines[-1] += f", {item}"
    return (",\n" + " " * indent).join(lines)


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        written = _written(shortened(real_answer(Path(scratch))))
    README.write_text(_BLOCK.sub(lambda _: written, README.read_text()))
