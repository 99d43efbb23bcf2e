"""The class network, trained from new weights on the pages given."""

import numpy as np

from trainer.candidates.candidate import Prediction, Rows, Watch
from trainer.class_training import ClassTrainer
from trainer.config import ClassNetworkConfig
from trainer.history import FIGURES, page_figures
from trainer.models.class_network import LEAD_LOGITS, PAGE_LOGITS
from trainer.page_set import PageSet

__all__ = ["ClassNetworkCandidate"]


class ClassNetworkCandidate:
    """One network at a time; the trainer is compiled once for all."""

    def __init__(self, config: ClassNetworkConfig) -> None:
        """Compile nothing yet."""
        self._trainer = ClassTrainer(config)

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int, watch: Watch) -> Prediction:
        """Train, watch how it learns, and answer."""
        history: list[tuple[float, ...]] = []

        def after_epoch(epoch: int, _: float) -> None:
            history.append((*self._figures(pages, fitted), *self._figures(pages, asked)))
            watch(epoch, self._trainer.config.epochs, dict(zip(FIGURES, history[-1], strict=True)))

        self._trainer.fit(pages.traces[fitted], pages.labels[fitted], seed, after_epoch)
        answer = self._trainer.network.predict(pages.traces[asked])
        again = self._trainer.network.predict(pages.traces_again[asked])
        return Prediction(
            page_logits=answer[PAGE_LOGITS].astype(np.float64),
            lead_logits=answer[LEAD_LOGITS].astype(np.float64),
            logits_again=again[PAGE_LOGITS].astype(np.float64),
            history=np.array(history),
        )

    def _figures(self, pages: PageSet, rows: Rows) -> tuple[float, float]:
        return page_figures(self._trainer.network.predict(pages.traces[rows])[PAGE_LOGITS], pages.labels[rows])
