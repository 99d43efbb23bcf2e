"""A card says what it was given: failures of other patients first, every figure, every page it gets wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from model_registry.policy import SitePolicy
from tests.bundles import policy as tiny_policy
from tests.bundles import reader_rules
from tests.trainer.out_of_fold import drawn_out_of_fold
from tests.trainer.reader_answers import drawn_reader_answers, plain_choice
from trainer.calibrate import calibrate, single_network_metrics
from trainer.card import CardFacts, build_card, card_text, failure_gallery
from trainer.classes import CLASS_NAMES
from trainer.fuse import Fusion
from trainer.metrics import page_metrics
from trainer.policy import choose
from trainer.tables import figure_cell, figures_table
from trainer.validation.figures import external_figures

DECISION_FIGURES = {
    "reported": 300,
    "accuracy": 0.981,
    "accuracy_ci95": [0.963, 0.993],
    "coverage": 0.75,
    "coverage_ci95": [0.7, 0.8],
    "critical_caught": 0.96,
    "critical_caught_ci95": [0.8, 0.99],
}
FIRST_HEADINGS = ["## Use", "## No use", "## Data", "## Protocol", "## Other patients", "### Failures"]


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    pages, answers = drawn_out_of_fold(pages=400, temperature=2.0), drawn_reader_answers()
    calibrated, choice = calibrate(pages), choose(answers, Fusion())
    assert choice.policy is not None
    figures = [
        external_figures(choice.answers(rows), rows.labels, choice.policy, draws=50)
        for rows in (answers.chosen(answers.inside), answers.chosen(~answers.inside))
    ]
    shares = np.tile(np.bincount(pages.labels) / 400, (400, 1))
    classes = {name: {"distinct": int((pages.labels == place).sum())} for place, name in enumerate(CLASS_NAMES)}
    return build_card(
        CardFacts(
            name="fusion",
            data={
                "files": 773,
                "distinct": 400,
                "copies": 373,
                "groups": 200,
                "classes": classes,
                "unreadable": ["/a/b"],
            },
            recordings={"name": "PTB-XL", "recordings": 600, "patients": 300},
            protocol=["Distinct pages.", "Five folds, two seeds."],
            rows=[
                {
                    "name": "fused",
                    "repeats": 2,
                    "figures": page_metrics(pages.labels, calibrated.cross_fitted, pages.groups, CLASS_NAMES, draws=50),
                },
                {"name": "one of its networks", "figures": single_network_metrics(pages, biased=calibrated.biased)},
                {
                    "name": "majority class",
                    "figures": page_metrics(pages.labels, shares, pages.groups, CLASS_NAMES, draws=50),
                },
            ],
            published={
                "words": ["Most scored images were trained on."],
                "rows": [{"name": "CNN", "figures": {"accuracy": 0.948, "balanced_accuracy": 0.94}}],
            },
            calibration=calibrated.facts,
            policy=choice.policy,
            decision_figures=dict.fromkeys(("as_fitted", "cross_fitted"), DECISION_FIGURES),
            inside=figures[0],
            external=figures[1],
            policies=[
                SitePolicy(
                    site="other hospitals",
                    created_at=datetime(2026, 11, 30, tzinfo=UTC),
                    model_sha256="0" * 64,
                    decision=choice.policy.model_copy(update={"report_from": {"normal": 0.86}}),
                    figures={"cross_fitted": figures[1]},
                )
            ],
            external_wide=figures[1],
            failures=failure_gallery(pages, calibrated.cross_fitted, np.arange(400) % 2 == 0),
            limits=["Drawn from a formula."],
        )
    )


def test_card_is_json(card: dict[str, Any]) -> None:
    written = json.dumps(card, allow_nan=False)
    assert json.loads(written) == card
    assert "/a/b" not in written, "a path of the machine it was made on"


def test_failures_of_other_patients_come_first(card: dict[str, Any]) -> None:
    text = card_text(card)
    headings = [line for line in text.splitlines() if line.startswith("##")]
    assert headings[: len(FIRST_HEADINGS)] == FIRST_HEADINGS
    assert text.index("infarction reported as normal") < text.index("reported answers that are right")
    assert text.index("## Other patients") < text.index("## The data set's own pages")


def test_policy_for_other_hospitals_is_told(card: dict[str, Any]) -> None:
    text = card_text(card)
    assert "### Policy for other hospitals" in text
    assert "reported from 0.86 (normal) on" in text


def test_text_names_no_missing_value(card: dict[str, Any]) -> None:
    text = card_text(card)
    for word in ("None", "nan", "NaN", "{"):
        assert word not in text


def cells(figures: dict[str, Any]) -> list[str]:
    """Every share and AUROC of external figures, as tables write it."""
    shares = [*figures["failures"].values(), *figures["reported"].values()]
    shares = [cell for cell in shares if "share" in cell]
    aurocs = [by_reader["answer"] for by_reader in figures["auroc"].values()]
    return [figure_cell(cell, "share") for cell in shares] + [figure_cell(cell, "auroc") for cell in aurocs]


@pytest.mark.parametrize("where", ["external", "inside"])
def test_every_figure_is_told(card: dict[str, Any], where: str) -> None:
    text = card_text(card)
    for cell in cells(card[where]):
        assert cell in text
    for band in card[where]["rate_bands"]:
        assert f"| {band['recordings']} |" in text


def test_every_territory_and_finding_is_told(card: dict[str, Any]) -> None:
    text = card_text(card)
    for words in ("inferior (IMI)", "anterior (AMI)", "AFIB"):
        assert words in text


def test_findings_network_alone_is_told_beside_the_answer(card: dict[str, Any]) -> None:
    for by_reader in card["external_wide"]["auroc"].values():
        assert f"by the findings network alone {figure_cell(by_reader['findings_network'], 'auroc')}" in card_text(card)


def test_every_row_of_the_data_set_is_told(card: dict[str, Any]) -> None:
    text = card_text(card)
    for row in card["figures"]:
        for name in ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro", "brier", "log_loss", "ece"):
            assert figure_cell(row["figures"], name) in text
    for row in card["figures"][0]["figures"]["classes"].values():
        assert figure_cell(row, "recall") in text
        assert figure_cell(row, "precision") in text
    assert "| CNN | 1 | 0.948 | 0.940 | - | - | - | - | - |" in text


def test_populations_and_licence_are_named(card: dict[str, Any]) -> None:
    assert card["validated_on"][0].startswith("PTB-XL")
    for words in ("600 recordings of 300 patients", "CC BY 4.0", "One cart", "373 copies"):
        assert words in card_text(card)


def test_card_says_what_the_model_is_not_for(card: dict[str, Any]) -> None:
    text = card_text(card)
    assert "not a certified medical device" in text
    assert "its age is uncertain" in text
    for sentence in (*card["intended_use"], *card["not_intended"], *card["protocol"], *card["limits"]):
        assert sentence in text


def test_card_says_when_a_page_is_referred(card: dict[str, Any]) -> None:
    text, decision = card_text(card), card["decision"]
    assert f"less probable than {decision['report_from']:.3f}" in text
    for name, least in decision["readers"]["infarction_sign_from"].items():
        assert f"{least:.3f} or more and the answer is {name.replace('_', ' ')}" in text
    for name, least in decision["readers"]["findings_network_from"].items():
        assert f"{least:.2f} ({name.replace('_', ' ')})" in text
    assert "The heart rate is 60 to 100/min and the same curves at 75/min are answered otherwise." in text
    assert figure_cell(decision["operating_points"][-1], "sensitivity") in text


def test_card_says_what_the_thresholds_gave(card: dict[str, Any]) -> None:
    text = card_text(card)
    assert "on folds they were not chosen on" in text
    for name in ("accuracy", "coverage", "critical_caught"):
        assert figure_cell(DECISION_FIGURES, name) in text


def test_policy_of_one_reader_has_no_reader_rules(card: dict[str, Any]) -> None:
    decision = tiny_policy().model_dump(mode="json")
    assert "A reader gives" not in card_text({**card, "decision": decision, "policies": []})
    decision = tiny_policy(readers=reader_rules()).model_dump(mode="json")
    assert "A reader gives" in card_text({**card, "decision": decision, "policies": []})


def test_model_without_thresholds_refers_every_page(card: dict[str, Any]) -> None:
    answers = drawn_reader_answers(pages=60, recordings=100)
    figures = external_figures(plain_choice().answers(answers), answers.labels, None, draws=50)
    text = card_text({**card, "decision": None, "inside": figures, "external": figures})
    assert "every page is referred to a person" in text
    assert "None" not in text


def test_every_wrong_page_is_listed_the_surest_first(card: dict[str, Any]) -> None:
    failures = card["failures"]
    matrix = np.array(card["figures"][0]["figures"]["confusion_matrix"])
    assert len(failures) == matrix.sum() - np.trace(matrix) > 0
    assert all(row["class"] != row["predicted"] for row in failures)
    probabilities = [row["probability"] for row in failures]
    assert probabilities == sorted(probabilities, reverse=True)
    for row in failures:
        assert row["decision"] == ("reported" if int(row["page"].removeprefix("page ")) % 2 == 0 else "referred")
        assert f"| {row['page']} | {row['predicted'].replace('_', ' ')} | {row['probability']:.3f} |" in card_text(card)


def test_model_without_failures_or_published_rows_has_a_card(card: dict[str, Any]) -> None:
    text = card_text({**card, "failures": [], "published_protocol": None})
    assert "Out of fold, 0 pages" in text
    assert "published protocol" not in text


def test_table_gives_intervals_where_there_are_any() -> None:
    figures = {"accuracy": 0.5, "accuracy_ci95": [0.25, 0.75], "ece": 0.1, "ece_ci95": None, "auroc_macro": None}
    assert figures_table([{"name": "a", "repeats": 3, "figures": figures}]).splitlines()[2] == (
        "| a | 3 | 0.500 (0.250 to 0.750) | - | - | - | - | - | 0.100 |"
    )
