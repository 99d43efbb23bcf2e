"""What a bundle's networks said, out of fold, about the very pages and recordings it was then trained on.

Stored with the bundle, so that a validation on those data gives figures that are not inflated.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from trainer.errors import RunError
from trainer.validation.decisions import GraphAnswers, by_leading
from trainer.validation.figures import Answers

__all__ = ["KnownAnswers"]


class KnownAnswers:
    """Answers by the SHA-256 of what they are about."""

    def __init__(self, sha256: Sequence[str], answers: Answers) -> None:
        """Take ``answers``, one row for each of ``sha256``; both readers and findings are there."""
        self.answers = answers
        self._rows = {name: row for row, name in enumerate(sha256)}

    def pack(self) -> bytes:
        """Give the content of an `.npz` file.

        Raises:
            RunError: there is one reader only.
        """
        content, answers = io.BytesIO(), self.answers
        texts = json.dumps({"sha256": list(self._rows), "reasons": answers.reasons, "thresholds": answers.thresholds})
        if answers.readers is None or answers.findings is None:
            raise RunError("answers of one reader are not kept")
        np.savez_compressed(
            content,
            texts=np.array(texts),
            probabilities=answers.probabilities.astype(np.float32),
            heart_rates_bpm=answers.heart_rates_bpm.astype(np.float32),
            readers=answers.readers.astype(np.float32),
            findings=answers.findings.astype(np.float32),
        )
        return content.getvalue()

    @classmethod
    def unpack(cls, content: bytes) -> "KnownAnswers":
        """Read what `pack` gave.

        Raises:
            RunError: it is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                texts = json.loads(str(stored["texts"]))
                arrays = {name: stored[name].astype(np.float64) for name in _ARRAYS}
            reasons = tuple(map(tuple, texts["reasons"]))
            return cls(texts["sha256"], Answers(reasons=reasons, thresholds=texts["thresholds"], **arrays))
        except (ValueError, KeyError, TypeError, EOFError, OSError, BadZipFile) as error:
            raise RunError("the bundle's out-of-fold answers cannot be read; publish it again") from error

    def in_place_of(self, answers: Answers, sha256: Sequence[str | None]) -> tuple[Answers, int]:
        """Replace those of ``answers`` that are about known data; gives how many, too.

        ``sha256`` has one entry for each row; None where nothing is known.
        """
        places, rows = self._known(sha256)
        if not places or answers.readers is None or answers.findings is None:
            return answers, 0
        reasons = list(answers.reasons)
        for place, row in zip(places, rows, strict=True):
            reasons[place] = self.answers.reasons[row]

        def changed(name: str) -> NDArray[np.float64]:
            return _replaced(getattr(answers, name), places, getattr(self.answers, name)[rows])

        return Answers(
            probabilities=changed("probabilities"),
            reasons=tuple(reasons),
            heart_rates_bpm=changed("heart_rates_bpm"),
            readers=changed("readers"),
            findings=changed("findings"),
            thresholds=answers.thresholds,
        ), len(places)

    def in_place_of_asked(self, asked: GraphAnswers, sha256: Sequence[str | None]) -> tuple[GraphAnswers, int]:
        """Replace what a graph says about known data, before any decision, as `in_place_of` does."""
        places, rows = self._known(sha256)
        if not places or asked.readers is None or self.answers.readers is None:
            return asked, 0
        known = by_leading(self.answers.probabilities[rows], self.answers.readers[rows])
        changed = {name: _replaced(asked.by_leading[name], places, answers) for name, answers in known.items()}
        return replace(asked, by_leading=changed), len(places)

    def _known(self, sha256: Sequence[str | None]) -> tuple[list[int], list[int]]:
        """Places in ``sha256`` of known data, and their rows here."""
        known = [(place, self._rows[name]) for place, name in enumerate(sha256) if name in self._rows]
        return [place for place, _ in known], [row for _, row in known]


def _replaced(array: NDArray[np.floating], places: list[int], by: NDArray[np.floating]) -> NDArray[np.float64]:
    whole = np.array(array, np.float64)
    whole[places] = by
    return whole


_ARRAYS = ("probabilities", "heart_rates_bpm", "readers", "findings")
