"""A findings network's cross-validation and its served members, in one folder.

Each network stands there as a file, so that a run that was cut off goes on where it was.

settings.json                 recordings, folds and training settings
fold_3_seed_1.npz             weights of a network that never saw the patients of fold 3
member_1.npz                  weights of a network trained on every recording: one of those that are served
tensorboard/                  how each of them learned, for TensorBoard
"""

import hashlib
import io
import json
import math
import os
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from trainer.classes import CLASS_NAMES
from trainer.config import FindingsConfig
from trainer.errors import RunError
from trainer.findings import CODES
from trainer.findings_training import FindingsTrainer, finding_targets
from trainer.members import Weights
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS
from trainer.network_training import NetworkTrainer
from trainer.quiet import import_tensorflow
from trainer.run import write_whole
from trainer.signals import SignalSet
from trainer.training_log import TrainingLog

__all__ = ["FindingsAnswers", "FindingsDesign", "FindingsRun"]

_MEMBER = -1
"""In place of a fold: trained on every recording."""
_STRATA = ("NORM", "MI", "AFIB")  # what every fold has its share of


@dataclass(frozen=True)
class FindingsDesign:
    """How patients are dealt out, and how many networks are averaged."""

    folds: int = 5
    seeds: int = 2
    deal: int = 0
    """Seed of the deal."""


class FindingsAnswers(NamedTuple):
    """Logits, the mean over seeds: (recordings, findings) and (recordings, classes)."""

    findings: NDArray[np.float64]
    classes: NDArray[np.float64]


class _Job(NamedTuple):
    fold: int
    seed: int

    @property
    def file(self) -> str:
        return f"member_{self.seed}.npz" if self.fold == _MEMBER else f"fold_{self.fold}_seed_{self.seed}.npz"


class FindingsRun:
    """One design over one set of recordings."""

    def __init__(
        self,
        signals: SignalSet,
        folder: Path,
        design: FindingsDesign | None = None,
        config: FindingsConfig | None = None,
    ) -> None:
        """Deal the patients out, or take up what stands in ``folder``.

        Raises:
            RunError: the folder holds a run of other recordings or settings.
        """
        self.signals, self.folder = signals, folder
        self.design, self.config = design or FindingsDesign(), config or FindingsConfig()
        folder.mkdir(parents=True, exist_ok=True)
        path, wanted = folder / "settings.json", json.dumps(self._settings(), indent=1) + "\n"
        if not path.exists():
            write_whole(path, wanted.encode())
        elif path.read_text() != wanted:
            raise RunError(f"{folder} holds a run of other recordings or settings; remove it or choose another")

    @cached_property
    def folds(self) -> NDArray[np.intp]:
        """The fold of each recording, (recordings,); every patient in one."""
        codes = finding_targets(self.signals, _STRATA)
        strata = codes @ (2 ** np.arange(len(_STRATA)))
        folds = np.empty(len(self.signals), np.intp)
        splitter = StratifiedGroupKFold(self.design.folds, shuffle=True, random_state=self.design.deal)
        with warnings.catch_warnings():  # normal with fibrillation is rarer than there are folds
            warnings.filterwarnings("ignore", "The least populated class")
            for number, (_, chosen) in enumerate(splitter.split(strata, strata, self.signals.patients)):
                folds[chosen] = number
        return folds

    def run(self) -> None:
        """Train what is still missing, one process for each core."""
        folds = (*range(self.design.folds), _MEMBER)
        jobs = [_Job(fold, seed) for seed, fold in product(range(self.design.seeds), folds)]
        todo = [job for job in jobs if not (self.folder / job.file).exists()]
        # A process for each network: TensorFlow keeps its threads and memory until the process ends.
        spawn = get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), spawn, import_tensorflow, max_tasks_per_child=1) as pool:
            futures = [pool.submit(_train, self.signals, self.folds, self.config, job, self.folder) for job in todo]
            for future in tqdm(as_completed(futures), total=len(todo), desc="findings networks", disable=None):
                job, content, words = future.result()
                write_whole(self.folder / job.file, content)
                print(words, flush=True)

    def members(self) -> list[Weights]:
        """Give the served networks.

        Raises:
            RunError: a network is missing.
        """
        return [self._read(_Job(_MEMBER, seed)) for seed in range(self.design.seeds)]

    def answer(self, traces: NDArray[np.float32]) -> FindingsAnswers:
        """Give the served networks' answers about ``traces`` (pages, 2000, 3).

        Raises:
            RunError: a network is missing.
        """
        return self._mean(self.members(), traces)

    def out_of_fold(self, traces: NDArray[np.float32]) -> FindingsAnswers:
        """Answer about each recording, shown as ``traces`` (recordings, 2000, 3), by networks without its patient.

        Raises:
            RunError: a network is missing.
        """
        whole = FindingsAnswers(np.zeros((len(traces), len(CODES))), np.zeros((len(traces), len(CLASS_NAMES))))
        for fold in range(self.design.folds):
            held_out = self.folds == fold
            networks = [self._read(_Job(fold, seed)) for seed in range(self.design.seeds)]
            for total, part in zip(whole, self._mean(networks, traces[held_out]), strict=True):
                total[held_out] = part
        return whole

    def _mean(self, networks: Sequence[Weights], traces: NDArray[np.float32]) -> FindingsAnswers:
        answers = [self._network.answer_with(weights, traces) for weights in networks]
        findings, classes = (
            np.mean([answer[name].astype(np.float64) for answer in answers], axis=0)
            for name in (FINDING_LOGITS, CLASS_LOGITS)
        )
        return FindingsAnswers(findings, classes)

    @cached_property
    def _network(self) -> NetworkTrainer:
        return FindingsTrainer(self.config).network

    def _read(self, job: _Job) -> Weights:
        path = self.folder / job.file
        if not path.exists():
            raise RunError(f"{path} is missing; run the step findings first")
        with np.load(path) as stored:  # named arr_0, arr_1, … in the order of writing
            return [stored[f"arr_{number}"] for number in range(len(stored.files))]

    def _settings(self) -> dict[str, object]:
        signals = self.signals
        labels = [
            [*sorted(codes), *map(int, row)] for codes, row in zip(signals.statements, signals.classes, strict=True)
        ]
        digest = hashlib.sha256(signals.signal_mv.tobytes())
        digest.update(json.dumps([signals.ids, signals.patients, labels]).encode())
        return {
            "recordings": len(signals),
            "sha256": digest.hexdigest(),
            "codes": CODES,
            "design": asdict(self.design),
            "train": asdict(self.config),
        }


def _train(
    signals: SignalSet, folds: NDArray[np.intp], config: FindingsConfig, job: _Job, folder: Path
) -> tuple[_Job, bytes, str]:
    """Train one network in a process of its own; gives the content of its file and a line for people."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    started_s, rows = time.perf_counter(), np.flatnonzero(folds != job.fold)
    trainer = FindingsTrainer(config)
    epochs = math.ceil(config.epochs)
    with TrainingLog(folder / "tensorboard" / job.file.removesuffix(".npz")) as log:
        trainer.fit(
            signals,
            rows,
            seed=1000 * job.seed + job.fold + 1,
            after_epoch=lambda epoch, loss: log.write(epoch, epochs, {"loss": loss}),
        )
    content = io.BytesIO()
    np.savez(content, *trainer.network.model.get_weights())
    return job, content.getvalue(), f"{job.file}: {len(rows)} recordings, {time.perf_counter() - started_s:.0f} s"
