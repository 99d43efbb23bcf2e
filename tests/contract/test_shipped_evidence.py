"""The promoted bundle claims what its own answers out of fold give; the real pages are not refused."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_registry.bundle import Bundle
from model_registry.policy import DecisionPolicy
from model_registry.registry import Registry
from shared_preproc.errors import NotAnEcgPageError, UnreadableLeadsError
from shared_preproc.evidence import examine
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from tests.conftest import REPOSITORY
from tests.trainer.test_fusion_bundle import assert_same
from trainer.classes import CLASS_NAMES
from trainer.dataset import LabelledPage, read_pages
from trainer.findings import CODES
from trainer.known_answers import KnownAnswers
from trainer.metrics import SCALARS, page_metrics
from trainer.promotion import figure_words
from trainer.ptbxl import read_ptbxl
from trainer.signals import SignalSet, recording_sha256
from trainer.splits import distinct_pages
from trainer.validation.figures import Answers, Labels, external_figures
from trainer.validation.report import figures_parts

MODELS = REPOSITORY / "models"
LARGEST_GRAPH_BYTES = 8_000_000
STATEMENTS = {"normal": "NORM", "history_of_mi": "MI", "myocardial_infarction": "MI"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Registry(MODELS).load("production")


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return dict(Registry(MODELS).card("production").content or {})


@pytest.fixture(scope="module")
def decision(bundle: Bundle) -> DecisionPolicy:
    assert bundle.manifest.decision is not None
    return bundle.manifest.decision


@pytest.fixture(scope="module")
def known(bundle: Bundle) -> KnownAnswers:
    assert bundle.out_of_fold is not None
    return KnownAnswers.unpack(bundle.out_of_fold)


@pytest.fixture(scope="module")
def recordings(shared_dir: Path) -> SignalSet:
    return read_ptbxl(shared_dir / "data")


@pytest.fixture(scope="module")
def pages(published_pages: Path, shared_dir: Path) -> list[LabelledPage]:
    """Every distinct page, in the order of the evidence."""
    found = distinct_pages(read_pages(published_pages, shared_dir / "data" / "records.csv"))
    return sorted(found, key=lambda page: (page.class_name, page.sha256, page.name))


def answers_about(sha256: list[str], known: KnownAnswers, bundle: Bundle) -> Answers:
    """Stored answers, one for each of ``sha256``."""
    rows, thresholds = len(sha256), {finding.code: finding.threshold for finding in bundle.manifest.findings}
    unknown = np.full((rows, len(CLASS_NAMES)), np.nan)
    nothing = Answers(
        probabilities=unknown,
        reasons=((),) * rows,
        heart_rates_bpm=unknown[:, 0],
        readers=np.stack([unknown, unknown], axis=1),
        findings=np.full((rows, len(CODES)), np.nan),
        thresholds=thresholds,
    )
    given, count = known.in_place_of(nothing, sha256)
    assert count == rows, f"{rows - count} of {rows} have no stored answer"
    return given


@pytest.mark.campaign
def test_external_figures_are_those_of_the_answers(
    bundle: Bundle, card: dict[str, Any], decision: DecisionPolicy, known: KnownAnswers, recordings: SignalSet
) -> None:
    answers = answers_about([recording_sha256(one) for one in recordings.signal_mv], known, bundle)
    labels = Labels(recordings.classes, recordings.statements, recordings.patients)
    figures = external_figures(answers, labels, decision)
    assert_same(figures, card["external"])
    assert list(figures_parts(figures)) == list(figures_parts(card["external"]))


@pytest.mark.slow
def test_internal_figures_are_those_of_the_answers(
    bundle: Bundle, card: dict[str, Any], decision: DecisionPolicy, known: KnownAnswers, pages: list[LabelledPage]
) -> None:
    answers = answers_about([page.sha256 for page in pages], known, bundle)
    places = np.array([CLASS_NAMES.index(page.class_name) for page in pages])
    groups = tuple(page.group for page in pages)
    statements = [{STATEMENTS[page.class_name]} if page.class_name in STATEMENTS else set() for page in pages]
    labels = Labels(np.eye(len(CLASS_NAMES), dtype=bool)[places], tuple(map(frozenset, statements)), groups)
    assert_same(external_figures(answers, labels, decision), card["inside"])
    figures = page_metrics(places, np.asarray(answers.probabilities, np.float64), groups, CLASS_NAMES)
    for name in SCALARS:
        assert figures[name] == pytest.approx(card["figures"][0]["figures"][name], abs=1e-6)


def test_headline_is_the_cards(bundle: Bundle, card: dict[str, Any]) -> None:
    metrics: dict[str, Any] = dict(bundle.manifest.metrics)
    external = card["external"]
    for name in SCALARS:
        assert metrics[name] == card["figures"][0]["figures"][name]
    for name, by_reader in external["auroc"].items():
        assert metrics["external"][name] == by_reader["answer"]
    assert metrics["external"]["reported"] == external["reported"]
    assert " -" not in figure_words(bundle.manifest), "a figure that promotion compares is missing"


def test_policy_reaches_what_it_was_chosen_for(decision: DecisionPolicy) -> None:
    assert decision.readers is not None
    assert decision.accuracy >= decision.target_accuracy
    assert decision.accuracy_ci95[0] <= decision.accuracy <= decision.accuracy_ci95[1]


def test_card_states_the_policy_of_the_bundle(card: dict[str, Any], decision: DecisionPolicy) -> None:
    assert card["decision"] == decision.model_dump(mode="json")


def test_every_claim_of_the_card_is_in_its_text(card: dict[str, Any]) -> None:
    text = Registry(MODELS).card("production").text or ""
    for where in ("external", "inside"):
        for group in ("reported", "failures"):
            for cell in card[where][group].values():
                if "share" in cell:
                    assert f"| {cell['count']} | {cell['of']} | {cell['share']:.3f}" in text
    assert "None" not in text


@pytest.mark.slow
def test_all_that_was_trained_on_has_a_stored_answer(
    bundle: Bundle, pages: list[LabelledPage], recordings: SignalSet
) -> None:
    expected = {page.sha256 for page in pages} | set(map(recording_sha256, recordings.signal_mv))
    assert bundle.trained_on is not None
    assert bundle.trained_on.files == expected


def test_no_stored_answer_is_missing_a_number(known: KnownAnswers) -> None:
    for name in ("probabilities", "readers", "findings"):
        assert np.isfinite(getattr(known.answers, name)).all()


def test_graph_is_small_enough(bundle: Bundle) -> None:
    assert len(bundle.model) <= LARGEST_GRAPH_BYTES


@pytest.mark.slow
def test_at_most_one_real_page_in_two_hundred_is_refused(bundle: Bundle, published_pages: Path) -> None:
    spec, refused = bundle.manifest.preprocessing, 0
    distinct = {hashlib.sha256(path.read_bytes()).digest(): path for path in published_pages.glob("*/*.jpg")}
    for path in distinct.values():
        page = decode_page(path.read_bytes(), spec.layout)
        try:
            examine(page, read_page(page, spec), spec)
        except (NotAnEcgPageError, UnreadableLeadsError):
            refused += 1
    assert refused <= 0.005 * len(distinct)
