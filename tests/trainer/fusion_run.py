"""A quick `trainer run` on synthetic pages and recordings, for the tests of what it publishes."""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_registry.registry import Registry
from tests.trainer.signal_files import write_packed_ptbxl
from trainer.__main__ import main
from trainer.config import FindingsConfig
from trainer.evaluate import Evaluation
from trainer.findings_run import FindingsDesign, FindingsRun
from trainer.findings_training import FindingsTrainer
from trainer.fusion_evidence import FusionEvidence
from trainer.signals import SignalSet

__all__ = ["FusionRun", "run_fusion"]

_RECORDINGS = 60


@dataclass(frozen=True)
class FusionRun:
    """What a run published, and what it was published from."""

    registry: Registry
    models: Path
    evidence: FusionEvidence
    signals: Path
    """The folder of recordings, as the packed part of PTB-XL."""
    said: str
    """What the run printed."""


def run_fusion(evaluation: Evaluation, pages: Path, folder: Path) -> FusionRun:
    """Run every step on ``pages``; class networks come from ``evaluation``, and one findings network is still missing.

    Raises:
        RuntimeError: the run failed.
    """
    signals = write_packed_ptbxl(folder / "ptb-xl", _RECORDINGS)
    findings = _train_folds(signals, evaluation.runs)
    options = ["--groups", pages / "records.csv", "--signals", folder / "ptb-xl", "--runs", evaluation.runs, "--quick"]
    with redirect_stdout(io.StringIO()) as said:
        status = main(["run", str(pages), *map(str, options), "--registry", str(folder / "models")])
    if status:
        raise RuntimeError(f"trainer run ended with {status}")
    registry, evidence = Registry(folder / "models"), FusionEvidence(evaluation, findings)
    return FusionRun(registry, folder / "models", evidence, folder / "ptb-xl", said.getvalue())


def _train_folds(signals: SignalSet, runs: Path) -> FindingsRun:
    """Train the folds in this process: each process of the run itself would load TensorFlow anew."""
    design, config = FindingsDesign(seeds=1), FindingsConfig.quick()
    run, trainer = FindingsRun(signals, runs / "findings-quick", design, config), FindingsTrainer(config)
    for fold in range(design.folds):
        trainer.fit(signals, np.flatnonzero(run.folds != fold), seed=fold + 1)
        np.savez(run.folder / f"fold_{fold}_seed_0.npz", *trainer.network.model.get_weights())
    return run
