"""Which pages and recordings a bundle was trained on, and whether a page is one of them.

training-pages.sha256        the SHA-256 of each page's file and of each recording's samples, one a line
training-pages.fingerprints  for each page: the SHA-256 of its file, a space, the fingerprint of its curves
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from model_registry.manifest import FINGERPRINTS_FILE, TRAINING_PAGES_FILE, Sha256
from shared_preproc.fingerprint import MOST_BITS_APART, bits_apart, pack_fingerprints

__all__ = ["TrainingRecord"]

_FILES = TypeAdapter(frozenset[Sha256])
_FINGERPRINTS = TypeAdapter(dict[Sha256, Sha256])  # as long as a SHA-256


@dataclass(frozen=True)
class TrainingRecord:
    """What a bundle was trained on."""

    files: frozenset[str]
    """SHA-256 (hex) of page files and recordings."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """`curve_fingerprint` by SHA-256 of the page file; empty in bundles older than this record."""

    @classmethod
    def parse(cls, contents: Mapping[str, bytes]) -> Self | None:
        """Read the record from a bundle's files; None where the bundle has none.

        Raises:
            ValueError: a file is malformed, or has the fingerprint of a page that the other file lacks.
        """
        if TRAINING_PAGES_FILE not in contents:
            return None
        files = _FILES.validate_python(contents[TRAINING_PAGES_FILE].decode().split())
        lines = contents.get(FINGERPRINTS_FILE, b"").decode().splitlines()
        fingerprints = _FINGERPRINTS.validate_python(dict(line.split(" ") for line in lines))
        if not fingerprints.keys() <= files:
            raise ValueError(f"{FINGERPRINTS_FILE} names a page that {TRAINING_PAGES_FILE} lacks")
        return cls(files, fingerprints)

    def pack(self) -> dict[str, bytes]:
        """Give the files that `parse` reads."""
        return {
            TRAINING_PAGES_FILE: _lines(self.files),
            FINGERPRINTS_FILE: _lines(f"{sha256} {bits}" for sha256, bits in self.fingerprints.items()),
        }

    def find(self, sha256: str, fingerprint: str | None) -> str | None:
        """Give the SHA-256 of the training page that a page is, or is a copy of; None: it was not trained on.

        Args:
            sha256: of the page's file, hex.
            fingerprint: `curve_fingerprint` of its curves; None where there are no curves.
        """
        if sha256 in self.files:
            return sha256
        if fingerprint is None:
            return None
        copies = np.flatnonzero(bits_apart(self._packed, fingerprint) <= MOST_BITS_APART)
        return list(self.fingerprints)[copies[0]] if len(copies) else None

    @cached_property
    def _packed(self) -> NDArray[np.uint64]:
        return pack_fingerprints(self.fingerprints.values())


def _lines(words: Iterable[str]) -> bytes:
    return "".join(sorted(f"{word}\n" for word in words)).encode()
