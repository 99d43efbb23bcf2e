"""A findings network's cross-validation and its served members, in one folder.

Each network stands there as a file, so that a run that was cut off goes on where it was.

settings.json                 recordings, folds and training settings
fold_3_seed_1.npz             weights of a network that never saw the patients of fold 3, and its answers about them
member_1.npz                  weights of a network trained on every recording: one of those that are served
"""

import hashlib
import io
import json
import os
import time
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

from trainer.config import FindingsConfig
from trainer.errors import RunError
from trainer.findings import CODES
from trainer.findings_training import PRINTS, FindingsTrainer, finding_targets, printed
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS
from trainer.run import write_whole
from trainer.signals import SignalSet

__all__ = ["FindingsAnswers", "FindingsDesign", "FindingsRun"]

_MEMBER = -1
"""In place of a fold: trained on every recording."""
_STRATA = ("NORM", "MI", "AFIB")  # what every fold has its share of


@dataclass(frozen=True)
class FindingsDesign:
    """How patients are dealt out, and how many networks are averaged."""

    folds: int = 5
    seeds: int = 3
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
        for number, (_, chosen) in enumerate(splitter.split(strata, strata, self.signals.patients)):
            folds[chosen] = number
        return folds

    def run(self) -> None:
        """Train what is still missing, one process for each core."""
        folds = (*range(self.design.folds), _MEMBER)
        jobs = [_Job(fold, seed) for seed, fold in product(range(self.design.seeds), folds)]
        todo = [job for job in jobs if not (self.folder / job.file).exists()]
        # A process for each network: TensorFlow keeps its threads and memory until the process ends.
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
            futures = [pool.submit(_train, self.signals, self.folds, self.config, job) for job in todo]
            for future in tqdm(as_completed(futures), total=len(todo), desc="findings networks", disable=None):
                job, content, words = future.result()
                write_whole(self.folder / job.file, content)
                print(words, flush=True)

    def out_of_fold(self, how: str) -> FindingsAnswers:
        """Give what networks say about recordings of patients they never saw, shown as ``how`` (one of `PRINTS`).

        Raises:
            RunError: a network is missing.
        """
        answers = dict.fromkeys(FindingsAnswers._fields, 0.0)
        total = [np.zeros((len(self.signals), size)) for size in (len(CODES), self.signals.classes.shape[1])]
        for fold, seed in product(range(self.design.folds), range(self.design.seeds)):
            stored = self._read(_Job(fold, seed))
            for whole, name in zip(total, answers, strict=True):
                whole[self.folds == fold] += stored[f"{how}_{name}"] / self.design.seeds
        return FindingsAnswers(*total)

    def members(self) -> list[list[NDArray[np.float32]]]:
        """Give the weights of the served networks, each in Keras's order.

        Raises:
            RunError: a network is missing.
        """
        members = []
        for seed in range(self.design.seeds):
            stored = self._read(_Job(_MEMBER, seed))
            members.append([stored[name] for name in sorted(stored, key=_number) if name.startswith("weight_")])
        return members

    def answer(self, traces: NDArray[np.float32]) -> FindingsAnswers:
        """Give the served networks' answers about ``traces`` (pages, 2000, 3), the mean over members."""
        network = FindingsTrainer(self.config).network
        answers = [network.answer_with(weights, traces) for weights in self.members()]
        return FindingsAnswers(
            *(
                np.mean([one[name].astype(np.float64) for one in answers], axis=0)
                for name in (FINDING_LOGITS, CLASS_LOGITS)
            )
        )

    def _read(self, job: _Job) -> dict[str, NDArray[np.float32]]:
        path = self.folder / job.file
        if not path.exists():
            raise RunError(f"{path} is missing; run the step findings first")
        with np.load(path) as stored:
            return dict(stored.items())

    def _settings(self) -> dict[str, object]:
        signals = self.signals
        labels = [
            [*sorted(codes), *map(int, row)] for codes, row in zip(signals.statements, signals.classes, strict=True)
        ]
        digest = hashlib.sha256(np.ascontiguousarray(signals.signal_mv))
        digest.update(json.dumps([signals.ids, signals.patients, labels]).encode())
        return {
            "recordings": len(signals),
            "sha256": digest.hexdigest(),
            "codes": CODES,
            "design": asdict(self.design),
            "train": asdict(self.config),
        }


def _number(name: str) -> tuple[int, str]:
    return len(name), name


def _train(signals: SignalSet, folds: NDArray[np.intp], config: FindingsConfig, job: _Job) -> tuple[_Job, bytes, str]:
    """Train one network in a process of its own; gives the content of its file and a line for people."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    started_s, held_out = time.perf_counter(), folds == job.fold
    trainer = FindingsTrainer(config)
    trainer.fit(signals, np.flatnonzero(~held_out), seed=1000 * job.seed + job.fold + 1)
    arrays = {f"weight_{number}": weight for number, weight in enumerate(trainer.network.model.get_weights())}
    if held_out.any():
        chosen = _chosen(signals, held_out)
        for how in PRINTS:
            answer = trainer.network.predict(printed(chosen, how))
            arrays |= {f"{how}_findings": answer[FINDING_LOGITS], f"{how}_classes": answer[CLASS_LOGITS]}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    took_s = time.perf_counter() - started_s
    return job, content.getvalue(), f"{job.file}: {np.count_nonzero(~held_out)} recordings, {took_s:.0f} s"


def _chosen(signals: SignalSet, rows: NDArray[np.bool_]) -> SignalSet:
    """The part of ``signals`` whose rows are true."""
    places: Sequence[int] = np.flatnonzero(rows).tolist()
    return SignalSet(
        name=signals.name,
        ids=tuple(signals.ids[place] for place in places),
        patients=tuple(signals.patients[place] for place in places),
        signal_mv=signals.signal_mv[rows],
        statements=tuple(signals.statements[place] for place in places),
        classes=signals.classes[rows],
        rate_hz=signals.rate_hz,
    )
