"""Figures after each epoch, and the file they are kept in."""

import math

import numpy as np
import pytest

from model_registry.history import read_history
from trainer.history import FIGURES, history_file, page_figures


def test_figures_are_cross_entropy_and_share_of_pages_right() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], np.float32))
    loss, accuracy = page_figures(logits, np.array([0, 2]))
    assert loss == pytest.approx((math.log(2) + math.log(10)) / 2, abs=1e-6)
    assert accuracy == 0.5


def test_a_history_is_read_as_it_was_written() -> None:
    histories = [np.array([[1.23456, 0.5, 1.5, 0.25], [0.5, 1.0, 0.75, 0.5]]), np.array([[2.0, 0.0, 3.0, 0.0]])]
    history = read_history(history_file("Two.", histories))
    assert history
    assert history.about == "Two."
    assert [len(network) for network in history.networks] == [2, 1]
    for network, rows in zip(history.networks, histories, strict=True):
        for epoch, row in zip(network, rows, strict=True):
            assert [getattr(epoch, name) for name in FIGURES] == pytest.approx(row.tolist(), abs=1e-4)
