"""The fusion network, trained from new weights on the pages given."""

import numpy as np

from trainer.candidates.candidate import Prediction, Rows
from trainer.config import FusionConfig
from trainer.fusion_training import FusionTrainer, nearest_distances
from trainer.history import page_figures
from trainer.page_set import PageSet

__all__ = ["FusionCandidate"]


class FusionCandidate:
    """One network at a time; the trainer is compiled once for all."""

    def __init__(self, config: FusionConfig) -> None:
        """Compile nothing yet."""
        self._trainer = FusionTrainer(config)

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int) -> Prediction:
        """Train, answer, and measure how far each page lies from those trained on."""
        history: list[tuple[float, ...]] = []

        def watch() -> None:
            history.append((*self._figures(pages, fitted), *self._figures(pages, asked)))

        self._trainer.fit(pages.traces[fitted], pages.labels[fitted], seed, after_epoch=watch)
        trained_on, answer = self._trainer.predict(pages.traces[fitted]), self._trainer.predict(pages.traces[asked])
        return Prediction(
            page_logits=answer.page_logits.astype(np.float64),
            lead_logits=answer.lead_logits.astype(np.float64),
            distances=nearest_distances(answer.embedding, trained_on.embedding),
            history=np.array(history),
        )

    def _figures(self, pages: PageSet, rows: Rows) -> tuple[float, float]:
        return page_figures(self._trainer.predict(pages.traces[rows]).page_logits, pages.labels[rows])
