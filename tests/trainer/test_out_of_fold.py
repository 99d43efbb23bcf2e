"""Answers out of fold are refused where they cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.out_of_fold import drawn_out_of_fold
from trainer.errors import RunError


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
