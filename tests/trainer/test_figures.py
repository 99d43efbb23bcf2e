"""The card's pictures: there, small, and of what they were given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.out_of_fold import drawn_out_of_fold
from trainer.calibrate import calibrate
from trainer.classes import CLASS_NAMES
from trainer.figures import draw_card, draw_recalls, draw_reliability
from trainer.metrics import page_metrics


def test_a_card_has_four_small_pictures(tmp_path: Path) -> None:
    pages = drawn_out_of_fold(pages=400)
    metrics = page_metrics(pages.labels, calibrate(pages).cross_fitted, pages.groups, CLASS_NAMES)
    paths = draw_card(metrics, tmp_path)
    assert sorted(path.name for path in paths) == ["confusion.png", "coverage.png", "recall.png", "reliability.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert path.stat().st_size < 60_000
        with Image.open(path) as image:
            assert np.ptp(np.asarray(image.convert("L"))) > 200


@pytest.mark.parametrize("interval", [None, [0.4, 0.5]])
def test_a_class_without_pages_is_left_out(tmp_path: Path, interval: list[float] | None) -> None:
    classes: dict[str, dict[str, Any]] = {
        "seen": {"rows": 3, "recall": 0.5, "recall_ci95": interval},
        "never_seen": {"rows": 0, "recall": None, "recall_ci95": None},
    }
    draw_recalls(classes, tmp_path / "both.png")
    draw_recalls({"seen": classes["seen"]}, tmp_path / "one.png")
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_a_picture_follows_its_points(tmp_path: Path) -> None:
    pictures = []
    for accuracy in (0.5, 0.7):
        path = tmp_path / f"{accuracy}.png"
        draw_reliability([{"pages": 9, "probability": 0.6, "accuracy": accuracy, "accuracy_ci95": None}], path)
        pictures.append(path.read_bytes())
    assert pictures[0] != pictures[1]
