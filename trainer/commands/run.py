"""The step that does all of it: from pages to a promoted bundle, for one network."""

import argparse
from pathlib import Path
from typing import Any

from model_registry.registry import Registry
from trainer.commands.arguments import Steps, add_data, add_registry, add_step, at_least_0, at_least_1
from trainer.commands.bundles import add_alias, promote
from trainer.commands.data import labelled_pages
from trainer.commands.evidence import QUICK, REPEATS, add_runs, evaluation_of, findings_of
from trainer.config import ARCHITECTURES, CLASS_NETWORK, FUSION, PROTOCOLS, TrainConfig

__all__ = ["add", "promote_unless_worse"]

_OF_LEAD_IMAGES: dict[str, Any] = {
    "protocol": PROTOCOLS[0],
    "seed": 0,
    "epochs": TrainConfig.epochs,
    "patience": TrainConfig.patience_epochs,
}
_OF_FUSION: dict[str, Any] = {"signals": None, "repeats": REPEATS, "quick": False}
"""Options of one of the two ways only, and their defaults; the parser gives None where they are left out."""


def add(steps: Steps) -> None:
    """Add run."""
    parser = add_step(steps, "run", _run, "from pages to a promoted bundle", tensorflow=True)
    add_data(parser)
    words = "network (%(default)s)"
    parser.add_argument("--arch", choices=(*ARCHITECTURES, FUSION), default=FUSION, help=words)
    add_runs(parser)
    add_registry(parser)
    parser.add_argument("--name", help="bundle name; the network's by default")
    add_alias(parser)
    parser.add_argument("--no-promote", action="store_true", help="publish the bundle, leave the alias where it is")
    words = "log parameters, figures and files of the bundle in MLflow at this address"
    parser.add_argument("--mlflow", metavar="URI", help=words)
    parser.add_argument("--force", action="store_true", help="promote even a bundle that is worse or has no thresholds")

    fusion = parser.add_argument_group("fusion only")
    words = "PTB-XL, as PhysioNet ships it or the packed part of it"
    fusion.add_argument("--signals", type=Path, help=words)
    words = f"times that the pages are dealt anew ({REPEATS})"
    fusion.add_argument("--repeats", type=at_least_1, help=words)
    fusion.add_argument("--quick", action="store_const", const=True, help=QUICK)

    lead_images = parser.add_argument_group("cnn and crnn only")
    lead_images.add_argument("--protocol", choices=PROTOCOLS, help=f"how to split ({PROTOCOLS[0]})")
    lead_images.add_argument("--seed", type=at_least_0, help="seed of every random choice (0)")
    lead_images.add_argument("--epochs", type=at_least_1, help=f"epochs at most ({TrainConfig.epochs})")
    words = f"epochs without gain before the end ({TrainConfig.patience_epochs})"
    lead_images.add_argument("--patience", type=at_least_1, help=words)


def _run(options: argparse.Namespace) -> None:
    is_fusion = options.arch == FUSION
    own, others = (_OF_FUSION, _OF_LEAD_IMAGES) if is_fusion else (_OF_LEAD_IMAGES, _OF_FUSION)
    given = vars(options)
    if vain := [f"--{name}" for name in others if given[name] is not None]:
        options.refuse(f"{', '.join(vain)}: without effect on --arch {options.arch}, leave it out")
    given |= {name: default for name, default in own.items() if given[name] is None}
    if is_fusion and options.signals is None:
        options.refuse("the fusion needs labelled recordings: name PTB-XL's folder with --signals")
    tracker = None
    if options.mlflow:
        from trainer.tracking import Tracker

        tracker = Tracker(options.mlflow)
    registry = Registry(options.registry)
    reference = (_fusion if is_fusion else _lead_images)(options, registry)
    print(f"published {reference} in {options.registry}")
    if tracker is not None:
        print(f"MLflow run {tracker.log(registry, reference)} at {options.mlflow}")
    if not options.no_promote:
        promote_unless_worse(registry, reference, options.alias, force=options.force)


def promote_unless_worse(registry: Registry, reference: str, alias: str, *, force: bool = False) -> None:
    """Point an alias at a bundle unless it is worse than the one before, or say why not."""
    from trainer.promotion import why_not_promote

    reason = None if force else why_not_promote(registry, reference, alias)
    if reason is None:
        promote(registry, reference, alias)
    else:
        print(f"not promoted: {reason}; --force promotes it all the same")


def _fusion(options: argparse.Namespace, registry: Registry) -> str:
    from trainer.fusion_bundle import publish_fusion
    from trainer.fusion_evidence import FusionEvidence

    evaluation = evaluation_of(options)
    findings = findings_of(options.signals, options.runs, quick=options.quick)
    evaluation.run([CLASS_NETWORK], [PROTOCOLS[0]])
    return publish_fusion(FusionEvidence(evaluation, findings), registry, options.name or FUSION)


def _lead_images(options: argparse.Namespace, registry: Registry) -> str:
    from trainer.export import export
    from trainer.prepare import prepare
    from trainer.score import score
    from trainer.train import train

    split = f"{options.protocol}-seed{options.seed}"
    prepared = options.runs / f"prepared-{split}"
    pages = labelled_pages(options.data, options.groups)
    prepare(pages, prepared, options.protocol, options.seed)
    config = TrainConfig(options.arch, seed=options.seed, epochs=options.epochs, patience_epochs=options.patience)
    run = train(prepared, options.runs / f"{options.arch}-{split}", config)
    score(run)
    print((run.folder / "report.md").read_text())
    return export(run, registry, options.name)
