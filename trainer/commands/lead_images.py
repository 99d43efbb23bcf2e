"""Steps of a published network on lead images: train, score, export."""

import argparse
from pathlib import Path

from model_registry.registry import Registry
from trainer.commands.arguments import Steps, add_registry, add_step, at_least_0, at_least_1
from trainer.config import ARCHITECTURES, TrainConfig

__all__ = ["add"]


def add(steps: Steps) -> None:
    """Add train, score and export."""
    parser = add_step(steps, "train", _train, "train a network on lead images", tensorflow=True)
    parser.add_argument("prepared", type=Path, help="folder that prepare wrote")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write, or to continue")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="crnn", help="network (%(default)s)")
    parser.add_argument("--seed", type=at_least_0, default=0, help="seed of every random choice (%(default)s)")
    parser.add_argument("--epochs", type=at_least_1, default=TrainConfig.epochs, help="epochs at most (%(default)s)")
    words = "epochs without gain before the end (%(default)s)"
    parser.add_argument("--patience", type=at_least_1, default=TrainConfig.patience_epochs, help=words)

    parser = add_step(steps, "score", _score, "convert the best epoch and score it on held-out pages", tensorflow=True)
    parser.add_argument("run", type=Path, help="run folder that train wrote")

    parser = add_step(steps, "export", _export, "publish a scored run as a bundle", tensorflow=True)
    parser.add_argument("run", type=Path, help="run folder that score wrote")
    add_registry(parser)
    parser.add_argument("--name", help="bundle name; the network's by default")


def _train(options: argparse.Namespace) -> None:
    from trainer.train import train

    config = TrainConfig(options.arch, seed=options.seed, epochs=options.epochs, patience_epochs=options.patience)
    run = train(options.prepared, options.run, config)
    print(f"best epoch {run.best_epoch} of {len(run.history)} in {options.run}")


def _score(options: argparse.Namespace) -> None:
    from trainer.run import Run
    from trainer.score import score

    score(Run(options.run))
    print((options.run / "report.md").read_text())


def _export(options: argparse.Namespace) -> None:
    from trainer.export import export
    from trainer.run import Run

    reference = export(Run(options.run), Registry(options.registry), options.name)
    print(f"published {reference} in {options.registry}")
