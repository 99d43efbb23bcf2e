"""Training of one findings network on views of labelled recordings."""

from collections.abc import Callable, Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import TRACES_50_HZ
from trainer.classes import CLASS_NAMES
from trainer.config import FindingsConfig
from trainer.findings import CODES, FINDINGS
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS, build_findings_network
from trainer.network_training import Batch, NetworkTrainer
from trainer.signals import SignalSet
from trainer.views import BANDS_HZ, band_passed, draw_views

__all__ = ["PRINTS", "FindingsTrainer", "finding_targets", "printed"]

PRINTS = ("page", "wide")
"""How recordings are shown to be judged: as the EDAN cart prints them, and at 0.05 to 40 Hz with all leads at once."""

_SPEC = TRACES_50_HZ
*_, _STRIP_SAMPLES = (_SPEC.trace.samples(box, _SPEC.layout) for _, box in _SPEC.layout.lead_boxes)
_RHYTHM_CODES = ("AFIB",)


class FindingsTrainer:
    """A findings network and how it is trained; every `fit` starts from new weights."""

    def __init__(self, config: FindingsConfig) -> None:
        """Build the network."""
        self.config = config
        self.network = NetworkTrainer(_network, partial(_loss, config), config.schedule)

    def fit(
        self,
        signals: SignalSet,
        rows: NDArray[np.intp],
        seed: int,
        after_epoch: Callable[[int, float], None] = lambda _, __: None,
    ) -> None:
        """Train on the recordings ``rows`` of ``signals``.

        ``after_epoch`` gets the number of epochs done and the mean loss of the last.
        """
        config, rng = self.config, np.random.default_rng(seed)
        banded = band_passed(signals.signal_mv)
        findings, classes = finding_targets(signals), signals.classes.astype(np.float32)

        def draw() -> Batch:
            drawn = rng.choice(rows, config.batch_size)
            return draw_views(banded, drawn, rng, config.views), findings[drawn], classes[drawn]

        losses: list[float] = []
        steps_an_epoch = max(1, len(rows) // config.batch_size)

        def after_step(done: int, loss: float) -> None:
            losses.append(loss)
            if done % steps_an_epoch == 0:
                after_epoch(done // steps_an_epoch, float(np.mean(losses[-steps_an_epoch:])))

        self.network.fit(draw, config.steps(len(rows)), seed, after_step)


def _network() -> keras.Model:
    return build_findings_network(_SPEC, len(FINDINGS), len(CLASS_NAMES))


def _loss(config: FindingsConfig, answer: dict[str, tf.Tensor], findings: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of the findings, and cross-entropy of the classes that are right answers."""
    weights = np.array([config.rhythm_weight if code in _RHYTHM_CODES else 1.0 for code in CODES], np.float32)
    by_finding = tf.nn.sigmoid_cross_entropy_with_logits(findings, answer[FINDING_LOGITS])
    log_probabilities = tf.nn.log_softmax(answer[CLASS_LOGITS])
    right = tf.reduce_logsumexp(tf.where(classes > 0, log_probabilities, -1e9), axis=1)
    judged = tf.reduce_max(classes, axis=1)
    return config.finding_loss_weight * tf.reduce_mean(weights * by_finding) - config.class_loss_weight * (
        tf.reduce_mean(judged * right)
    )


def finding_targets(signals: SignalSet, codes: Sequence[str] = CODES) -> NDArray[np.float32]:
    """Say which recordings have which findings: float32 (recordings, findings), 0 or 1."""
    return np.array([[code in statements for code in codes] for statements in signals.statements], np.float32)


def printed(signals: SignalSet, how: str) -> NDArray[np.float32]:
    """Show every recording as ``how`` (one of `PRINTS`) says: (recordings, 2000, 3), millivolt."""
    band_hz = BANDS_HZ[PRINTS.index(how)]
    return np.stack([_printed(one, how, band_hz, signals.rate_hz) for one in signals.signal_mv])


def _printed(
    signal_mv: NDArray[np.float32], how: str, band_hz: tuple[float, float], rate_hz: float
) -> NDArray[np.float32]:
    recording = Recording(signal_mv.astype(np.float64), rate_hz).band_passed(*band_hz)
    if how == "wide":  # every column shows what the third one does
        column = round(_SPEC.trace.column_s * rate_hz)
        at_once = [np.roll(lead, (row // 3 - 2) * column) for row, lead in enumerate(recording.signal_mv)]
        tensor, staggered = (recording_tensor(one, _SPEC) for one in (Recording(np.stack(at_once), rate_hz), recording))
        tensor[-_STRIP_SAMPLES:] = staggered[-_STRIP_SAMPLES:]
        return tensor
    return recording_tensor(recording, _SPEC)
