"""A card says what it was given: every figure, both protocols, every page it gets wrong."""

import json
from typing import Any

import numpy as np
import pytest

from tests.out_of_fold import drawn_out_of_fold
from trainer.calibrate import calibrate, single_network_metrics
from trainer.card import CardFacts, build_card, card_text, failure_gallery
from trainer.classes import CLASS_NAMES
from trainer.metrics import page_metrics
from trainer.policy import choose_policy
from trainer.referrals import cross_fitted_referrals, policy_figures, reported_pages
from trainer.tables import figure_cell, figures_table


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    pages = drawn_out_of_fold(pages=400, temperature=2.0)
    calibrated = calibrate(pages)
    reported = reported_pages(cross_fitted_referrals(pages, calibrated))
    shares = np.tile(np.bincount(pages.labels) / 400, (400, 1))
    classes = {name: {"distinct": int((pages.labels == place).sum())} for place, name in enumerate(CLASS_NAMES)}
    return build_card(
        CardFacts(
            name="fusion/1",
            data={
                "files": 773,
                "distinct": 400,
                "copies": 373,
                "groups": 200,
                "classes": classes,
                "unreadable": ["/a/b"],
            },
            protocol=["Distinct pages.", "Five folds, two seeds."],
            rows=[
                {
                    "name": "fusion",
                    "repeats": 2,
                    "figures": page_metrics(pages.labels, calibrated.cross_fitted, pages.groups, CLASS_NAMES),
                },
                {"name": "one of its networks", "figures": single_network_metrics(pages, biased=calibrated.biased)},
                {"name": "majority class", "figures": page_metrics(pages.labels, shares, pages.groups, CLASS_NAMES)},
            ],
            published={
                "words": ["Most scored images were trained on."],
                "rows": [{"name": "CNN", "figures": {"accuracy": 0.948, "balanced_accuracy": 0.94}}],
            },
            calibration=calibrated.facts,
            policy=choose_policy(pages, calibrated),
            policy_figures=policy_figures(pages, calibrated),
            failures=failure_gallery(pages, calibrated.cross_fitted, reported),
            limits=["Drawn from a formula."],
        )
    )


def test_a_card_is_json(card: dict[str, Any]) -> None:
    written = json.dumps(card, allow_nan=False)
    assert json.loads(written) == card
    assert "/a/b" not in written, "a path of the machine it was made on"


def test_a_card_says_every_figure_of_every_row(card: dict[str, Any]) -> None:
    text = card_text(card)
    for row in card["figures"]:
        for name in ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro", "brier", "log_loss", "ece"):
            assert figure_cell(row["figures"], name) in text
    for row in card["figures"][0]["figures"]["classes"].values():
        assert figure_cell(row, "recall") in text
        assert figure_cell(row, "precision") in text
    assert "| CNN | 1 | 0.948 | 0.940 | - | - | - | - | - |" in text


def test_a_card_says_what_the_model_is_not_for(card: dict[str, Any]) -> None:
    text = card_text(card)
    for words in (
        "not a certified medical device",
        "One cart",
        "as reported",
        "373 byte-for-byte copies",
        "Drawn from a",
    ):
        assert words in text
    for sentence in (*card["intended_use"], *card["not_intended"], *card["protocol"], *card["limits"]):
        assert sentence in text


def test_a_card_says_when_a_page_is_referred(card: dict[str, Any]) -> None:
    text = card_text(card)
    assert f"less probable than {card['decision']['report_from']:.3f}" in text
    assert "further than" in text
    for view in card["decision_figures"].values():
        assert figure_cell(view, "accuracy") in text
        assert figure_cell(view, "coverage") in text
    assert figure_cell(card["decision"]["operating_points"][-1], "sensitivity") in text
    nearby = {**card, "decision": {**card["decision"], "largest_distance": None}}
    assert "further than" not in card_text(nearby)


def test_every_wrong_page_is_listed_the_surest_first(card: dict[str, Any]) -> None:
    failures = card["failures"]
    matrix = np.array(card["figures"][0]["figures"]["confusion_matrix"])
    assert len(failures) == matrix.sum() - np.trace(matrix) > 0
    assert all(row["class"] != row["predicted"] for row in failures)
    probabilities = [row["probability"] for row in failures]
    assert probabilities == sorted(probabilities, reverse=True)
    reported = [row for row in failures if row["decision"] == "reported"]
    crossed = card["decision_figures"]["cross_fitted"]
    assert len(reported) == round(crossed["reported"] * (1 - crossed["accuracy"]))
    for row in failures:
        assert f"| {row['page']} | {row['predicted'].replace('_', ' ')} | {row['probability']:.3f} |" in card_text(card)


def test_a_model_without_thresholds_refers_every_page(card: dict[str, Any]) -> None:
    assert "every page is referred" in card_text({**card, "decision": None, "decision_figures": None})


def test_a_model_without_failures_or_published_rows_has_a_card(card: dict[str, Any]) -> None:
    text = card_text({**card, "failures": [], "published_protocol": None})
    assert "Out of fold, 0 pages" in text
    assert "published protocol" not in text


def test_a_table_gives_intervals_where_there_are_any() -> None:
    figures = {"accuracy": 0.5, "accuracy_ci95": [0.25, 0.75], "ece": 0.1, "ece_ci95": None, "auroc_macro": None}
    assert figures_table([{"name": "a", "repeats": 3, "figures": figures}]).splitlines()[2] == (
        "| a | 3 | 0.500 (0.250 to 0.750) | - | - | - | - | - | 0.100 |"
    )
