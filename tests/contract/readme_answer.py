"""Update the answer in README.md from the shipped model: ``python -m tests.contract.readme_answer``."""

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
SHOWN = ("predicted_class", "probabilities", "decision", "reasons", "readers", "findings", "quality", "model")
FINDINGS_SHOWN = 2
FINDINGS_LEFT_OUT = "… 32 in all"
DIGITS = 3
_BLOCK = re.compile(r"(?<=```json\n).*?(?=\n```)", re.DOTALL)


def shown_answer() -> dict[str, Any]:
    """Read the answer in README.md."""
    (block,) = _BLOCK.findall(README.read_text())
    answer: dict[str, Any] = json.loads(block)
    return answer


def real_answer(folder: Path) -> dict[str, Any]:
    """Run the README's commands in ``folder`` with the shipped model and return the service's answer."""
    with chdir(folder):
        assert main(_command(".venv/bin/python -m trainer synth")[3:]) == 0
        (form,) = (word for word in _command("curl") if word.startswith("file=@"))
        page = Path(form.removeprefix("file=@")).read_bytes()
    with serving(settings_for(MODELS)) as client:
        answer: dict[str, Any] = client.post("/classify", files={"file": page}).json()
    return answer


def shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """Keep the fields in `SHOWN` and the first findings; round all numbers to `DIGITS` digits."""
    shown = {name: answer[name] for name in SHOWN}
    shown["quality"] = {name: value for name, value in shown["quality"].items() if name != "coverage"}
    shown["model"] = {name: shown["model"][name] for name in ("name", "version")}
    shown["findings"] = [*shown["findings"][:FINDINGS_SHOWN], FINDINGS_LEFT_OUT]
    rounded: dict[str, Any] = _rounded(shown)
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _command(start: str) -> list[str]:
    """Return the words of the README's only command that starts with ``start``."""
    (line,) = (line for line in README.read_text().splitlines() if line.startswith(start))
    return shlex.split(line)


def _written(answer: dict[str, Any]) -> str:
    """Format the answer as JSON: one line a field, or several where `WIDTH` requires it."""
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
