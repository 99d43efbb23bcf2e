"""The trainer's command line: a subcommand for each step, and `run` for all of them."""

import argparse
import sys
from collections.abc import Sequence

from model_registry.errors import RegistryError
from trainer.commands import bundles, data, evidence, lead_images, run, validate
from trainer.errors import TrainerError
from trainer.quiet import import_tensorflow

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step. Exit status 0: done; 1: refused, the last lines say why; 2: not a command line of ours."""
    options = _parser().parse_args(arguments)
    if options.tensorflow:
        import_tensorflow()
    try:
        options.step(options)
    except (RegistryError, TrainerError, OSError) as error:
        print(f"trainer {options.step_name}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="From report pages to a published bundle.")
    steps = parser.add_subparsers(title="steps", dest="step_name", required=True, metavar="STEP")
    for commands in (data, lead_images, evidence, validate, run, bundles):
        commands.add(steps)
    return parser


if __name__ == "__main__":
    sys.exit(main())
