"""Steps that train by cross-validation: evaluate every candidate, and the findings network."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.arguments import Steps, add_data, add_step, at_least_1
from trainer.commands.data import labelled_pages
from trainer.config import PROTOCOLS

if TYPE_CHECKING:
    from trainer.evaluate import Evaluation
    from trainer.findings_run import FindingsRun

__all__ = ["QUICK", "REPEATS", "add", "add_runs", "evaluation_of", "findings_of"]

REPEATS = 3
QUICK = "check that every step works: one repeat, fewer epochs, nothing slow; its figures mean nothing"


def add(steps: Steps) -> None:
    """Add evaluate and findings."""
    words = "cross-validate every network and baseline, without copies and, beside it, as the literature does"
    parser = add_step(steps, "evaluate", _evaluate, words, tensorflow=True)
    add_data(parser)
    parser.add_argument("--protocol", choices=PROTOCOLS, help="only this one; both by default")
    parser.add_argument("--candidates", nargs="+", metavar="NAME", help="only these; all by default")
    words = "times that the pages are dealt anew (%(default)s)"
    parser.add_argument("--repeats", type=at_least_1, default=REPEATS, help=words)
    parser.add_argument("--quick", action="store_true", help=QUICK)
    add_runs(parser)

    words = "cross-validate the findings network and train the served ones"
    parser = add_step(steps, "findings", _findings, words, tensorflow=True)
    parser.add_argument("signals", type=Path, help="PTB-XL, as PhysioNet ships it or the packed part of it")
    parser.add_argument("--quick", action="store_true", help=QUICK)
    add_runs(parser)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the folder that trainings are kept in."""
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (%(default)s)")


def evaluation_of(options: argparse.Namespace) -> "Evaluation":
    """Read the pages and open their evaluation."""
    from trainer.evaluate import Evaluation

    pages = labelled_pages(options.data, options.groups)
    return Evaluation(pages, options.runs, repeats=options.repeats, quick=bool(options.quick))


def findings_of(signals_folder: Path, runs: Path, *, quick: bool) -> "FindingsRun":
    """Train what is missing of the findings network."""
    from trainer.config import FindingsConfig
    from trainer.findings_run import FindingsDesign, FindingsRun
    from trainer.ptbxl import read_ptbxl

    signals = read_ptbxl(signals_folder)
    design = FindingsDesign(seeds=1) if quick else FindingsDesign()
    config = FindingsConfig.quick() if quick else FindingsConfig()
    run = FindingsRun(signals, runs / f"findings{'-quick' if quick else ''}", design, config)
    run.run()
    print(f"findings network: {len(signals)} recordings of {len(set(signals.patients))} patients in {run.folder}")
    return run


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluate import report_text

    evaluation = evaluation_of(options)
    evaluation.run(options.candidates, (options.protocol,) if options.protocol else PROTOCOLS)
    if options.quick:
        print("every step works; fewer epochs and one repeat give no figures to compare, so run it without --quick")
    else:
        print(report_text(evaluation.report()))


def _findings(options: argparse.Namespace) -> None:
    findings_of(options.signals, options.runs, quick=options.quick)
