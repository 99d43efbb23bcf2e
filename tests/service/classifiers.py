"""Classifiers that do what a real one should not."""

from threading import Event

import numpy as np

from service.models.onnx import Probabilities
from shared_preproc.tensor import Tensor

__all__ = ["FailingClassifier", "GatedClassifier", "NumberlessClassifier"]


class FailingClassifier:
    """Fails as no one foresaw, naming what must not get out."""

    provider = "cpu"
    failure = None

    def run(self, _: Tensor) -> Probabilities:
        raise RuntimeError("/srv/secret/Jane Doe.jpg")


class NumberlessClassifier:
    """Answers with what is no number."""

    provider = "cpu"
    failure = None

    def run(self, tensor: Tensor) -> Probabilities:
        pages, leads = tensor.shape[:2]
        return Probabilities(
            leads=np.full((pages, leads, 4), np.nan, np.float32), pages=np.full((pages, 4), np.nan, np.float32)
        )


class GatedClassifier:
    """Waits in `run` for as long as its gate is shut."""

    provider = "cpu"
    failure = None

    def __init__(self) -> None:
        self.entered = Event()
        self.gate = Event()

    def run(self, tensor: Tensor) -> Probabilities:
        self.entered.set()
        assert self.gate.wait(10)
        pages, leads = tensor.shape[:2]
        return Probabilities(
            leads=np.full((pages, leads, 4), 0.25, np.float32), pages=np.full((pages, 4), 0.25, np.float32)
        )
