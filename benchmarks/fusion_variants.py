"""Designs of the fusion network that were tried, side by side: one cross-validation each, on folds kept for choosing.

    python benchmarks/fusion_variants.py PAGES --groups records.csv [--variant NAME …] [--ptbxl ptbxl-100hz.npz.xz]

The folds are those of seed 100, which `python -m trainer evaluate` never uses. A line a variant: accuracy, balanced
accuracy, macro F1 and log loss, not calibrated, each page answered by one network. Five to ten minutes a variant.
"""

import argparse
import io
import lzma
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt
from scipy.special import softmax

from shared_preproc.leads import LEADS, Lead
from shared_preproc.spec import TRACES_50_HZ
from trainer.augment import Augmentation, augment
from trainer.classes import CLASS_NAMES
from trainer.config import FusionConfig
from trainer.dataset import read_pages
from trainer.fusion_training import FusionTrainer
from trainer.metrics import page_metrics
from trainer.models.fusion import EMBEDDING, LEAD_LOGITS, PAGE_LOGITS
from trainer.page_set import read_page_set
from trainer.splits import distinct_pages, fold_numbers

CHOOSING_SEED = 100
FOLDS = 5
PTBXL_HZ = 100
PRINTED_BAND_HZ = (0.67, 25.0)
COLUMN_S, STRIP_S = 2.5, 10.0
PRETRAINING_EPOCHS = 12
HEADS = (PAGE_LOGITS, LEAD_LOGITS, "strip_features")
"""Layers that pre-training does not reach."""
SHOWN = ("accuracy", "balanced_accuracy", "f1_macro", "log_loss")


@dataclass(frozen=True)
class Variant:
    """How a design differs from the one that is published."""

    config: FusionConfig = field(default_factory=FusionConfig)
    pretrained: bool = False


VARIANTS = {
    "published": Variant(),
    "stronger-augmentation": Variant(
        FusionConfig(augmentation=Augmentation(page_gain=0.25, offset_mv=0.05, lead_loss=0.2))
    ),
    "no-augmentation": Variant(
        FusionConfig(
            augmentation=Augmentation(
                page_gain=0, lead_gain=0, offset_mv=0, wander_mv=0, lead_shift=0, lead_loss=0, strip_loss=0
            )
        )
    ),
    "no-balancing": Variant(FusionConfig(balance=0.0)),
    "no-lead-heads": Variant(FusionConfig(lead_loss_weight=0.0)),
    "longer": Variant(FusionConfig(epochs=100)),
    "pretrained-on-ptbxl": Variant(FusionConfig(learning_rate=1e-3), pretrained=True),
}


def main() -> None:
    """Print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--groups", type=Path)
    parser.add_argument(
        "--variant", nargs="+", choices=VARIANTS, default=[name for name in VARIANTS if "ptbxl" not in name]
    )
    parser.add_argument("--ptbxl", type=Path)
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five folds to fit")
    options = parser.parse_args()
    pages = distinct_pages(read_pages(options.pages, options.groups))
    page_set, folds = read_page_set(pages), fold_numbers(pages, FOLDS, CHOOSING_SEED)
    print(f"{'':24}" + "".join(f"{name:>20}" for name in SHOWN), flush=True)
    for name in options.variant:
        variant = VARIANTS[name]
        start = pretrain(options.ptbxl) if variant.pretrained else None
        trainer, logits = FusionTrainer(variant.config), np.zeros((len(pages), len(CLASS_NAMES)))
        for fold in range(options.folds):
            held_out = folds == fold
            trainer.fit(page_set.traces[~held_out], page_set.labels[~held_out], CHOOSING_SEED + fold, start)
            logits[held_out] = trainer.predict(page_set.traces[held_out]).page_logits
        judged = folds < options.folds
        figures = page_metrics(
            page_set.labels[judged],
            softmax(logits[judged], axis=1),
            list(page_set.groups[judged]),
            CLASS_NAMES,
            draws=0,
        )
        print(f"{name:24}" + "".join(f"{figures[shown]:20.3f}" for shown in SHOWN), flush=True)


def pretrain(ptbxl: Path) -> list[NDArray[np.float32]]:
    """Weights of a network that tells PTB-XL's five superclasses from the same layout of curves; its heads are new."""
    traces, labels = printed_ptbxl(ptbxl)
    keras.utils.set_random_seed(CHOOSING_SEED)
    rng, trainer = np.random.default_rng(CHOOSING_SEED), FusionTrainer(FusionConfig())
    fresh = trainer.model.get_weights()
    superclasses = keras.layers.Dense(labels.shape[1])
    superclasses.build((None, trainer.model.output[EMBEDDING].shape[-1]))
    body = [one for one in trainer.model.trainable_variables if one.path.split("/")[0] not in HEADS]
    variables = body + superclasses.trainable_variables
    optimizer = keras.optimizers.AdamW(2e-3, weight_decay=1e-2)
    optimizer.build(variables)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def step(batch: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            answer = superclasses(trainer.model(batch, training=True)[EMBEDDING])
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(wanted, answer))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    for _ in range(PRETRAINING_EPOCHS):
        for rows in rng.permutation(len(traces))[: len(traces) // 32 * 32].reshape(-1, 32):
            step(augment(traces[rows], 12, 125, rng, Augmentation()), labels[rows])
    names = [variable.path.split("/")[0] for variable in trainer.model.weights]
    learned = trainer.model.get_weights()
    return [new if name in HEADS else old for name, new, old in zip(names, fresh, learned, strict=True)]


def printed_ptbxl(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """PTB-XL as the cart would print it and we would read it: (records, samples, 3) in mV, labels (records, 5)."""
    stored = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
    band = butter(2, PRINTED_BAND_HZ, btype="bandpass", fs=PTBXL_HZ, output="sos")
    signals = sosfiltfilt(band, stored["signal_uv"] / 1000.0, axis=-1)
    layout = TRACES_50_HZ.layout
    leads = [
        curve(signals[:, LEADS.index(lead)], COLUMN_S * (place % 4), COLUMN_S)
        for place, lead in enumerate(layout.leads[:-1])
    ]
    strip = curve(signals[:, LEADS.index(Lead.II)], 0.0, STRIP_S)
    return np.concatenate([*leads, strip], axis=1), stored["labels"].astype(np.float32)


def curve(signal: NDArray[np.float64], start_s: float, length_s: float) -> NDArray[np.float32]:
    """Signal, highest and lowest point around each sample of the spec's rate: (records, samples, 3)."""
    step = round(PTBXL_HZ / TRACES_50_HZ.trace.rate_hz)
    at = round(start_s * PTBXL_HZ) + step * np.arange(round(length_s * TRACES_50_HZ.trace.rate_hz))
    around = np.clip(at[:, np.newaxis] + np.arange(-step, step + 1), 0, signal.shape[1] - 1)
    window = signal[:, around]
    return np.stack([signal[:, at], window.max(axis=-1), window.min(axis=-1)], axis=-1).astype(np.float32)


if __name__ == "__main__":
    main()
