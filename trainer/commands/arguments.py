"""Arguments that several steps share, and how numbers among them are read."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Steps", "add_data", "add_registry", "add_step", "at_least_0", "at_least_1", "share"]

Steps = Any
"""What `ArgumentParser.add_subparsers` returns; argparse gives it no public name."""


def add_step(
    steps: Steps, name: str, step: Callable[[argparse.Namespace], None], words: str, *, tensorflow: bool = False
) -> argparse.ArgumentParser:
    """Add a step to the command line, and whether it needs TensorFlow.

    The step gets its options, and in them ``refuse``, which ends with a usage message.
    """
    parser: argparse.ArgumentParser = steps.add_parser(name, help=words, description=words)
    parser.set_defaults(step=step, refuse=parser.error, tensorflow=tensorflow)
    return parser


def add_data(parser: argparse.ArgumentParser, what: str = "folder or ZIP archive with the class folders") -> None:
    """Add the labelled pages and the table of their groups."""
    parser.add_argument("data", type=Path, help=what)
    words = "table with the columns sha256 and record_id: a record stays on one side of the split"
    parser.add_argument("--groups", type=Path, metavar="CSV", help=words)


def add_registry(parser: argparse.ArgumentParser) -> None:
    """Add the registry folder."""
    parser.add_argument("--registry", type=Path, default=Path("models"), help="registry folder (%(default)s)")


def at_least_0(text: str) -> int:
    """Read a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return int(text)


def at_least_1(text: str) -> int:
    """Read a whole number of 1 or more."""
    if (number := at_least_0(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return number


def share(text: str) -> float:
    """Read a number between 0 and 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0 and 1")
    return number
