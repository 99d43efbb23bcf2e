"""The published networks on single lead images, whose probabilities are averaged over the page."""

import keras
import numpy as np

from trainer.candidates.candidate import Prediction, Rows, Watch, log_probabilities
from trainer.classes import CLASS_NAMES
from trainer.config import Architecture, TrainConfig
from trainer.models import build
from trainer.page_set import PageSet

__all__ = ["LeadImageCandidate"]

_EPOCHS = 4
"""With validation pages to stop by, the CNN's loss was lowest after 4 epochs and the CRNN's after 3 (leak-free)."""


class LeadImageCandidate:
    """The CNN or the CRNN with the published settings, for a fixed number of epochs: no page is spent on stopping."""

    def __init__(self, architecture: Architecture) -> None:
        """Build nothing yet."""
        self._config = TrainConfig(architecture, epochs=_EPOCHS)

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int, watch: Watch) -> Prediction:
        """Train from new weights; every lead image has its page's class."""
        config = self._config
        keras.utils.set_random_seed(seed)
        _, leads, height_px, width_px = pages.masks.shape
        model = build(config.architecture, height_px, width_px, len(CLASS_NAMES))
        model.compile(keras.optimizers.Adam(config.learning_rate), loss="sparse_categorical_crossentropy")
        images = pages.masks[fitted].reshape(-1, height_px, width_px, 1)
        labels = np.repeat(pages.labels[fitted], leads)
        watching = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: watch(epoch + 1, config.epochs, logs or {})
        )
        model.fit(images, labels, config.batch_size, config.epochs, verbose=0, callbacks=[watching])
        asked_images = pages.masks[asked].reshape(-1, height_px, width_px, 1)
        by_lead = model.predict(asked_images, batch_size=config.batch_size, verbose=0)
        by_lead = by_lead.reshape(len(asked), leads, len(CLASS_NAMES))
        keras.backend.clear_session()
        return Prediction(log_probabilities(by_lead.mean(axis=1)), log_probabilities(by_lead))
