"""What it is worth to split lead images, not pages: the other leak behind the literature's figures.

    python benchmarks/lead_image_split.py PREPARED --arch cnn --epochs 9

PREPARED is a folder that `python -m trainer prepare PAGES PREPARED --protocol published` wrote. Its lead images are
pooled and split anew, 70/15/15 at random within each class, so that leads of one page stand on different sides. After
each epoch: validation accuracy per lead image; on byte-for-byte copies of training images; on the others.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.classes import CLASS_NAMES
from trainer.config import ARCHITECTURES, TrainConfig
from trainer.models import build
from trainer.prepare import load_lead_images
from trainer.splits import SPLITS

TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15
BATCH_SIZE = 256


@dataclass(frozen=True, eq=False)
class LeadImagePool:
    """Every lead image of a preparation: ``images`` uint8 (images, height_px, width_px, 1), ``labels`` (images,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    identities: NDArray[np.str_]
    """Content of the page and number of the lead: equal for copies."""


def main() -> None:
    """Train and print a line an epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--arch", choices=ARCHITECTURES, default="cnn")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    pool = read_pool(options.prepared)
    training, validation = split_images(pool.labels, rng)
    copies = np.isin(pool.identities[validation], pool.identities[training])
    print(f"{copies.mean():.1%} of the validation images are copies of training images")
    config = TrainConfig(options.arch)
    _, height_px, width_px, _ = pool.images.shape
    model = build(options.arch, height_px, width_px, len(CLASS_NAMES))
    optimizer = keras.optimizers.Adam(config.learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    for epoch in range(1, options.epochs + 1):
        order = rng.permutation(training)
        model.fit(pool.images[order], pool.labels[order], batch_size=config.batch_size, shuffle=False, verbose=0)
        answers = model.predict(pool.images[validation], batch_size=BATCH_SIZE, verbose=0).argmax(axis=1)
        right = answers == pool.labels[validation]
        shares = f"{right.mean():.3f}; copies {right[copies].mean():.3f}, others {right[~copies].mean():.3f}"
        print(f"epoch {epoch}: validation {shares}", flush=True)


def read_pool(prepared: Path) -> LeadImagePool:
    """Pool the three splits of a preparation."""
    splits = [load_lead_images(prepared, split) for split in SPLITS]
    tensors = np.concatenate([images.tensors for images in splits])
    pages, leads, height_px, width_px = tensors.shape
    hashes = [page["sha256"] for images in splits for page in images.pages]
    return LeadImagePool(
        images=tensors.reshape(pages * leads, height_px, width_px, 1),
        labels=np.repeat(np.concatenate([images.labels for images in splits]), leads),
        identities=np.array([f"{sha256} {lead}" for sha256 in hashes for lead in range(leads)]),
    )


def split_images(labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw training and validation images within each class; the rest is for a test that nothing here needs."""
    training, validation = [], []
    for label in range(len(CLASS_NAMES)):
        members = rng.permutation(np.flatnonzero(labels == label))
        train_end = round(TRAIN_SHARE * len(members))
        training.append(members[:train_end])
        validation.append(members[train_end : train_end + round(VALIDATION_SHARE * len(members))])
    return np.concatenate(training), np.concatenate(validation)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
