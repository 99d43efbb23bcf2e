"""Answers out of fold: kept as they are, refused where they cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.out_of_fold import drawn_out_of_fold
from trainer.errors import RunError
from trainer.out_of_fold import load_out_of_fold, pack_out_of_fold


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "out-of-fold.npz"
    rng = np.random.default_rng(0)
    saved = replace(
        drawn_out_of_fold(pages=20),
        lead_logits=rng.normal(size=(2, 20, 13, 4)),
        logits_again=rng.normal(size=(2, 20, 4)),
    )
    path.write_bytes(pack_out_of_fold(saved))
    loaded = load_out_of_fold(path)
    for name in ("labels", "folds", "page_logits", "lead_logits", "logits_again"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert (loaded.groups, loaded.pages) == (saved.groups, saved.pages)


def test_what_was_not_measured_stays_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(pack_out_of_fold(drawn_out_of_fold(pages=20)))
    loaded = load_out_of_fold(tmp_path / "a.npz")
    assert loaded.lead_logits is None
    assert loaded.logits_again is None


def test_the_ensemble_is_the_mean_of_the_repeats() -> None:
    pages = drawn_out_of_fold(pages=20)
    np.testing.assert_allclose(pages.mean_logits[3], (pages.page_logits[0, 3] + pages.page_logits[1, 3]) / 2)


def test_a_group_in_two_folds_is_refused() -> None:
    pages = drawn_out_of_fold(pages=20)
    folds = pages.folds.copy()
    folds[1, 0] = (folds[1, 1] + 1) % 5
    with pytest.raises(RunError, match="a group stands in two folds"):
        replace(pages, folds=folds)


@pytest.mark.parametrize("name", ["labels", "groups", "pages", "folds", "page_logits"])
def test_arrays_of_other_pages_are_refused(name: str) -> None:
    pages = drawn_out_of_fold(pages=20)
    value = getattr(pages, name)
    shorter = value[:, :-1] if name in {"folds", "page_logits"} else value[:-1]
    with pytest.raises(RunError, match=r"arrays of \[19, 20\] pages"):
        replace(pages, **{name: shorter})


def test_a_page_without_an_answer_is_refused() -> None:
    pages = drawn_out_of_fold(pages=20)
    logits = pages.page_logits.copy()
    logits[0, 3, 2] = -np.inf
    with pytest.raises(RunError, match="not finite"):
        replace(pages, page_logits=logits)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="run the cross-validation first"):
        load_out_of_fold(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", labels=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(RunError, match="does not hold out-of-fold answers"):
            load_out_of_fold(tmp_path / name)
