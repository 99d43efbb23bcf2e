"""The shipped fusion bundle claims what its own out-of-fold answers give; the real pages are not refused."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_registry.bundle import Bundle
from model_registry.registry import Registry
from shared_preproc.errors import NotAnEcgPageError, UnreadableLeadsError
from shared_preproc.evidence import examine
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from tests.conftest import REPOSITORY
from trainer.calibrate import Calibration
from trainer.classes import CLASS_NAMES
from trainer.fusion_bundle import OUT_OF_FOLD_FILE
from trainer.metrics import page_metrics
from trainer.out_of_fold import OutOfFold, load_out_of_fold
from trainer.policy import referrals
from trainer.referrals import reported_pages

MODELS = REPOSITORY / "models"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Registry(MODELS).load("fusion")


@pytest.fixture(scope="module")
def answers(bundle: Bundle) -> OutOfFold:
    path = MODELS / bundle.manifest.ref / OUT_OF_FOLD_FILE
    assert hashlib.sha256(path.read_bytes()).hexdigest() == bundle.manifest.files[OUT_OF_FOLD_FILE]
    return load_out_of_fold(path)


def test_the_figures_are_those_of_the_answers(bundle: Bundle, answers: OutOfFold) -> None:
    facts: dict[str, Any] = bundle.manifest.model_dump(mode="json")
    after = facts["calibration"]["after"]
    assert facts["metrics"]["log_loss"] == pytest.approx(after["log_loss"])
    calibration = Calibration(facts["calibration"]["temperature"], np.array(facts["calibration"]["bias"]))
    fitted = page_metrics(
        answers.labels, calibration.probabilities(answers.mean_logits), answers.groups, CLASS_NAMES, draws=0
    )
    # The card's figures are cross-fitted, so they are the same but for what calibration learns of a page itself.
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro"):
        assert facts["metrics"][name] == pytest.approx(fitted[name], abs=0.02)


def test_the_policy_keeps_its_promise(bundle: Bundle, answers: OutOfFold) -> None:
    facts: dict[str, Any] = bundle.manifest.model_dump(mode="json")
    policy = bundle.manifest.decision
    assert policy is not None
    calibration = Calibration(facts["calibration"]["temperature"], np.array(facts["calibration"]["bias"]))
    probabilities = calibration.probabilities(answers.mean_logits)
    reported = reported_pages(referrals(policy, probabilities, answers.mean_distances))
    right = probabilities.argmax(axis=1) == answers.labels
    assert right[reported].mean() == pytest.approx(policy.accuracy)
    assert reported.mean() == pytest.approx(policy.coverage)
    assert policy.accuracy >= policy.target_accuracy >= 0.98
    assert policy.coverage >= 0.80


def test_no_page_was_answered_by_a_network_that_saw_its_record(answers: OutOfFold) -> None:
    for folds in answers.folds:
        assert len(set(zip(answers.groups, folds.tolist(), strict=True))) == len(set(answers.groups))


def test_every_page_of_the_evidence_was_trained_on_in_the_end(bundle: Bundle, answers: OutOfFold) -> None:
    assert bundle.training_pages == frozenset(page["sha256"] for page in answers.pages)


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
