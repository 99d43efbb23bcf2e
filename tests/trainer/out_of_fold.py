"""Out-of-fold answers drawn from a known truth, so that a test knows what must come out."""

import numpy as np

from trainer.classes import CLASS_NAMES
from trainer.out_of_fold import OutOfFold

__all__ = ["drawn_out_of_fold"]

_SHARES = (0.47, 0.18, 0.06, 0.29)


def drawn_out_of_fold(
    *, pages: int = 400, repeats: int = 2, temperature: float = 1.0, bias: tuple[float, ...] = (0.0,) * 4, seed: int = 0
) -> OutOfFold:
    """Draw labels from probabilities whose logits are then given as ``temperature`` times (log probability - ``bias``).

    The most probable class is right in about nine pages of ten. Repeats differ by noise that cancels in their mean. Two
    pages make a group.
    """
    rng = np.random.default_rng(seed)
    likely = rng.choice(len(CLASS_NAMES), size=pages, p=_SHARES)
    logits = rng.normal(size=(pages, len(CLASS_NAMES)))
    logits[np.arange(pages), likely] += rng.uniform(2, 12, size=pages)
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.minimum((truth.cumsum(axis=1) < rng.random((pages, 1))).sum(axis=1), len(CLASS_NAMES) - 1)
    noise = rng.normal(scale=0.3, size=(repeats, pages, len(CLASS_NAMES)))
    groups = tuple(f"record {page // 2}" for page in range(pages))
    return OutOfFold(
        labels=labels,
        groups=groups,
        pages=tuple(
            {"class": CLASS_NAMES[label], "name": f"page {page}", "sha256": f"{page:064x}", "group": groups[page]}
            for page, label in enumerate(labels)
        ),
        folds=np.stack([rng.permutation(np.arange(pages // 2) % 5).repeat(2) for _ in range(repeats)]),
        page_logits=temperature * (logits - np.array(bias)) + noise - noise.mean(axis=0),
    )
