"""A run folder: everything one training run was given and has produced so far. Imports no framework.

config.json       settings, and how the lead images were prepared      split.json   each page's split, class, hash
history.json      one row of losses and accuracies for each epoch      epoch_NN.keras   the last and the best one
model.onnx        the graph that is served        predictions.json, report.json, report.md, *.png   its evaluation
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer.config import TrainConfig
from trainer.errors import RunError
from trainer.prepare import LeadImages, load_lead_images, read_prepared
from trainer.splits import Split

__all__ = ["Run", "write_whole"]


class Run:
    """Typed access to one run folder. What later steps read is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def begin(cls, folder: Path, prepared: Path, config: TrainConfig) -> "Run":
        """Open ``folder`` for a run with these settings, or take up the one that stands there.

        Raises:
            RunError: the folder holds a run of other settings or another split.
        """
        run = cls(folder)
        summary = read_prepared(prepared)
        pages = summary.pop("pages")
        wanted = {"train": asdict(config), "prepared": {**summary, "folder": str(prepared.resolve())}}
        if not (folder / "config.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            run.write_json("split.json", pages)
            run.write_json("config.json", wanted)
        elif run.read_json("config.json") != wanted:
            raise RunError(f"{folder} holds a run of other settings or another split; remove it or choose another")
        return run

    @property
    def config(self) -> TrainConfig:
        """The settings the run was begun with."""
        return TrainConfig(**self.read_json("config.json")["train"])

    @property
    def prepared(self) -> Path:
        """The folder of lead images the run reads."""
        return Path(self.read_json("config.json")["prepared"]["folder"])

    def lead_images(self, split: Split) -> LeadImages:
        """Load one split of the lead images that the run was begun with.

        Raises:
            RunError: their folder has been prepared anew in the meantime, with another split.
            DatasetError: their folder is gone or of another preprocessing.
        """
        if read_prepared(self.prepared)["pages"] != self.read_json("split.json"):
            raise RunError(f"{self.prepared} no longer holds the split of {self.folder}; prepare it again as it was")
        return load_lead_images(self.prepared, split)

    @property
    def history(self) -> list[dict[str, float]]:
        """Losses and accuracies, one row for each finished epoch."""
        return self.read_json("history.json") if (self.folder / "history.json").exists() else []

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest validation loss.

        Raises:
            RunError: no epoch has finished yet.
        """
        if not (history := self.history):
            raise RunError(f"{self.folder} has no finished epoch; run the step train")
        return 1 + min(range(len(history)), key=lambda place: history[place]["val_loss"])

    def checkpoint(self, epoch: int) -> Path:
        """Where the network stands as it was after ``epoch``, counted from 1, optimizer included."""
        return self.folder / f"epoch_{epoch:02d}.keras"

    def finish_epoch(self, history: Sequence[dict[str, float]]) -> None:
        """Record the epoch whose checkpoint was just saved; keep the last and the best checkpoint only."""
        self.write_json("history.json", list(history))
        kept = {self.checkpoint(len(history)), self.checkpoint(self.best_epoch)}
        for path in self.folder.glob("epoch_*.keras"):
            if path not in kept:
                path.unlink()

    def read_json(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Read one of the run's JSON files.

        Raises:
            RunError: it is not there.
        """
        try:
            return json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            raise RunError(f"{self.folder} has no {name}; run the earlier steps first") from None

    def write_json(self, name: str, content: object) -> None:
        """Write one of the run's JSON files, atomically."""
        self.write_bytes(name, (json.dumps(content, indent=1) + "\n").encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write one of the run's files, atomically."""
        write_whole(self.folder / name, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half written."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
