"""The audit as its reader sees it."""

import json
from pathlib import Path
from typing import Any

__all__ = ["answers", "audit_files", "audit_lines"]


def audit_files(folder: Path) -> list[Path]:
    """The files in the order in which they were begun."""
    return sorted(folder.glob("audit-*.jsonl"))


def audit_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of every file; a last one that is torn is passed over, any other fails."""
    return [json.loads(line) for file in audit_files(folder) for line in file.read_bytes().split(b"\n")[:-1]]


def answers(folder: Path) -> list[dict[str, Any]]:
    """The records of answers."""
    return [line for line in audit_lines(folder) if line["type"] == "answer"]
