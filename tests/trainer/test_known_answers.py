"""Answers about known data: kept as they are, put in place of others, refused where they cannot be read."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainer.errors import RunError
from trainer.known_answers import KnownAnswers
from trainer.validation.figures import Answers

NAMES = ("a" * 64, "b" * 64, "c" * 64)
THRESHOLDS = {"NORM": 0.4, "MI": 0.3}


def drawn(seed: int, rows: int = 3) -> Answers:
    rng = np.random.default_rng(seed)
    return Answers(
        probabilities=rng.dirichlet(np.ones(4), rows),
        reasons=tuple([(), ("uncertain",), ("uncertain", "readers_disagree")][row % 3] for row in range(rows)),
        heart_rates_bpm=np.where(np.arange(rows) == 1, np.nan, 72.0),
        readers=rng.dirichlet(np.ones(4), (rows, 2)),
        findings=rng.random((rows, 2)),
        thresholds=THRESHOLDS,
    )


@pytest.fixture
def known() -> KnownAnswers:
    return KnownAnswers(NAMES, drawn(0))


def test_packed_answers_are_unpacked(known: KnownAnswers) -> None:
    answers, again = known.answers, KnownAnswers.unpack(known.pack()).answers
    for name in ("probabilities", "heart_rates_bpm", "readers", "findings"):
        np.testing.assert_allclose(getattr(again, name), getattr(answers, name), atol=1e-6)
    assert again.reasons == answers.reasons
    assert again.thresholds == THRESHOLDS


def test_known_rows_take_the_place_of_others(known: KnownAnswers) -> None:
    asked = drawn(1, rows=4)
    given, count = known.in_place_of(asked, ["x", NAMES[2], "y", NAMES[0]])
    assert count == 2
    for name in ("probabilities", "readers", "findings"):
        np.testing.assert_array_equal(getattr(given, name)[[1, 3]], getattr(known.answers, name)[[2, 0]])
        np.testing.assert_array_equal(getattr(given, name)[[0, 2]], getattr(asked, name)[[0, 2]])
    assert given.reasons == (asked.reasons[0], known.answers.reasons[2], asked.reasons[2], known.answers.reasons[0])


def test_thresholds_of_the_answers_asked_stay(known: KnownAnswers) -> None:
    given, _ = known.in_place_of(replace(drawn(1), thresholds={"NORM": 0.9, "MI": 0.8}), NAMES)
    assert given.thresholds == {"NORM": 0.9, "MI": 0.8}


def test_unknown_rows_stay(known: KnownAnswers) -> None:
    asked = drawn(1)
    assert known.in_place_of(asked, ["x", "y", "z"]) == (asked, 0)


def test_answers_of_one_reader_are_not_packed() -> None:
    with pytest.raises(RunError, match="one reader"):
        KnownAnswers(NAMES, replace(drawn(0), readers=None)).pack()


def zipped(**arrays: object) -> bytes:
    content = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez(content, **named)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no archive", id="text"),
        pytest.param(KnownAnswers(NAMES, drawn(0)).pack()[:400], id="cut short"),
        pytest.param(zipped(probabilities=np.zeros(3)), id="no texts"),
        pytest.param(
            zipped(texts="[]", probabilities=0, heart_rates_bpm=0, readers=0, findings=0), id="texts of another form"
        ),
    ],
)
def test_foreign_content_is_refused(content: bytes) -> None:
    with pytest.raises(RunError, match="cannot be read; publish it again"):
        KnownAnswers.unpack(content)
