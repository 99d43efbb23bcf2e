"""Cross-validation from real page files to the report, with real networks trained for a moment."""

from pathlib import Path

import numpy as np
import pytest

from trainer.classes import CLASS_NAMES
from trainer.cross_validation import CrossValidation, Design
from trainer.dataset import read_pages
from trainer.errors import DatasetError, RunError
from trainer.evaluate import Evaluation, report_text
from trainer.splits import fold_numbers

pytestmark = pytest.mark.slow


def test_no_record_is_in_two_folds_and_every_class_is_in_each(synthetic_pages: Path) -> None:
    pages = read_pages(synthetic_pages, synthetic_pages / "records.csv")
    folds = fold_numbers(pages, 5, seed=3)
    assert set(folds) == set(range(5))
    assert len({(page.group, fold) for page, fold in zip(pages, folds, strict=True)}) == len({p.group for p in pages})
    assert len({(page.class_name, fold) for page, fold in zip(pages, folds, strict=True)}) == 5 * len(CLASS_NAMES)
    assert (fold_numbers(pages, 5, seed=4) != folds).any()


def test_too_few_pages_are_refused(few_pages: Path) -> None:
    with pytest.raises(DatasetError, match="too few for 20 folds"):
        fold_numbers(read_pages(few_pages), 20, seed=0)


def test_every_page_is_answered_in_every_way_out_of_fold(evaluation: Evaluation) -> None:
    answers = evaluation.leak_free.out_of_fold("class-network")
    assert answers.page_logits.shape == (1, 80, 4)
    assert answers.lead_logits is not None
    assert answers.lead_logits.shape == (1, 80, 13, 4)
    assert answers.logits_again is not None
    assert answers.logits_again.shape == answers.page_logits.shape


def test_a_fold_that_is_there_is_not_fitted_again(evaluation: Evaluation) -> None:
    folder = evaluation.leak_free.folder / "rhythm"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    content = (folder / "repeat_0_fold_2.npz").read_bytes()
    (folder / "repeat_0_fold_2.npz").unlink()
    evaluation.run(["rhythm"], ["leak-free"])
    changed = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != before[path.name]}
    assert changed == {"repeat_0_fold_2.npz"}
    assert (folder / "repeat_0_fold_2.npz").read_bytes() == content


def test_a_folder_of_another_design_is_refused(evaluation: Evaluation) -> None:
    with pytest.raises(RunError, match="other pages or settings"):
        CrossValidation(evaluation.pages, Design("leak-free", folds=4), evaluation.leak_free.folder)


def test_the_report_compares_all_that_is_finished(evaluation: Evaluation) -> None:
    report = evaluation.report()
    rows = {row["name"]: row["figures"] for row in report["rows"]}
    majority, template = (
        rows["majority class"],
        rows["template (curves masked out), read as the class network reads a page"],
    )
    assert majority["balanced_accuracy"] == pytest.approx(0.25)
    assert template["confusion_matrix"] == majority["confusion_matrix"]
    assert all(np.sum(figures["confusion_matrix"]) == 80 for figures in rows.values())
    assert [row["name"] for row in report["published_rows"]] == ["class network over the curves of all leads"]
    assert report_text(report) == (evaluation.leak_free.folder / "report.md").read_text()


def test_an_unknown_candidate_is_named(evaluation: Evaluation) -> None:
    with pytest.raises(RunError, match="no candidate is called oracle"):
        evaluation.run(["oracle"])
