"""The networks of the served ensemble, each trained on every page. Knows no fold and no graph."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.config import FusionConfig
from trainer.fusion_training import FusionTrainer
from trainer.page_set import PageSet
from trainer.run import write_whole

__all__ = ["Member", "mean_page_logits", "train_members"]

_FIRST_SEED = 1000
"""Out of the way of the seeds of cross-validation."""


@dataclass(frozen=True, eq=False)
class Member:
    """One trained network, and where the pages it was trained on lie in its embedding."""

    weights: list[NDArray[np.float32]]
    """In Keras's order."""
    embedding: NDArray[np.float32]
    """(pages, features)."""


def train_members(pages: PageSet, count: int, config: FusionConfig, folder: Path) -> list[Member]:
    """Train ``count`` members on ``pages``; one that stands in ``folder`` already is taken from there."""
    folder.mkdir(exist_ok=True)
    trainer, members = FusionTrainer(config), []
    for number in range(count):
        path = folder / f"member_{number}.npz"
        if not path.exists():
            trainer.fit(pages.traces, pages.labels, seed=_FIRST_SEED + number)
            _save(Member(trainer.model.get_weights(), trainer.predict(pages.traces).embedding), path)
            print(f"member {number + 1} of {count} trained on {len(pages.labels)} pages", flush=True)
        members.append(_load(path))
    return members


def mean_page_logits(members: Sequence[Member], traces: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the members say of ``traces`` (pages, samples, 3) on average, by Keras: (pages, classes)."""
    trainer, logits = FusionTrainer(FusionConfig()), []
    for member in members:
        trainer.model.set_weights(member.weights)
        logits.append(trainer.predict(traces).page_logits.astype(np.float64))
    return np.asarray(np.mean(logits, axis=0))


def _save(member: Member, path: Path) -> None:
    content = io.BytesIO()
    np.savez(content, member.embedding, *member.weights)
    write_whole(path, content.getvalue())


def _load(path: Path) -> Member:
    with np.load(path) as stored:  # named arr_0, arr_1, … in the order of writing
        embedding, *weights = (stored[f"arr_{number}"] for number in range(len(stored.files)))
    return Member(weights, embedding)
