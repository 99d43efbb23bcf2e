"""Steps about pages: draw synthetic ones, audit a data folder, prepare lead images."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.arguments import Steps, add_data, add_step, at_least_0, at_least_1
from trainer.config import PROTOCOLS

if TYPE_CHECKING:
    from trainer.dataset import LabelledPage

__all__ = ["add", "labelled_pages"]


def add(steps: Steps) -> None:
    """Add synth, audit and prepare."""
    parser = add_step(steps, "synth", _synth, "draw synthetic report pages")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--count", type=at_least_1, default=4, help="pages in all (%(default)s)")
    parser.add_argument("--seed", type=at_least_0, default=0, help="seed of every random choice (%(default)s)")

    parser = add_step(
        steps, "audit", _audit, "say what a data folder holds: classes, copies, groups, and pages that cannot be used"
    )
    add_data(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same facts as JSON")

    parser = add_step(steps, "prepare", _prepare, "split the pages and write lead images")
    add_data(parser)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help="how to split (%(default)s)")
    parser.add_argument("--seed", type=at_least_0, default=0, help="seed of every random choice (%(default)s)")
    words = "take scikit-image's road instead of the one that serving takes"
    parser.add_argument("--reference", action="store_true", help=words)


def labelled_pages(data: Path, groups_csv: Path | None) -> "list[LabelledPage]":
    """Read every page, and print which folder stands for which class.

    Raises:
        DatasetError: as `trainer.dataset.read_pages`.
    """
    from trainer.dataset import read_data

    if groups_csv is None:
        print("no table of groups given: pages of one patient may land on two sides of a split", file=sys.stderr)
    found = read_data(data, groups_csv)
    print(found.folders.words(), flush=True)
    return found.usable()


def _synth(options: argparse.Namespace) -> None:
    from trainer.synth import synthesize

    synthesize(options.out, options.count, options.seed)
    print(f"{options.count} synthetic pages in {options.out}")


def _audit(options: argparse.Namespace) -> None:
    from trainer.audit import audit_table, data_facts
    from trainer.dataset import read_data

    found = read_data(options.data, options.groups, every_class=False)
    facts = data_facts(found)
    print(found.folders.words(), end="\n\n")
    print(audit_table(facts))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def _prepare(options: argparse.Namespace) -> None:
    from trainer.prepare import prepare

    pages = labelled_pages(options.data, options.groups)
    prepare(pages, options.out, options.protocol, options.seed, reference=options.reference)
