"""A fingerprint of the curves on a page, nearly the same however the picture was saved.

Random hyperplanes (Charikar 2002, "Similarity estimation techniques from rounding algorithms"): each bit says on which
side of a fixed plane a page's curves lie. The share of bits in which two pages differ is the angle between their
curves, divided by pi. Why: docs/decisions/0012-training-pages.md.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.traces import Trace

__all__ = ["FINGERPRINT_BITS", "MOST_BITS_APART", "bits_apart", "curve_fingerprint", "pack_fingerprints", "same_curves"]

FINGERPRINT_BITS = 256
MOST_BITS_APART = 40
"""Pages whose fingerprints differ in more bits show different curves; unrelated curves differ in half of the bits."""

_PLANES = b"ecg-report-classifier curve fingerprint 1"


def curve_fingerprint(traces: Mapping[Lead, Trace]) -> str | None:
    """Give the fingerprint of a page's curves: 64 hex digits, or None where every lead is flat.

    Compare fingerprints only of curves with the same leads and sampling rate.

    Args:
        traces: every lead's curve in page order, as `shared_preproc.traces.page_traces` gives them.
    """
    curves_mv = np.concatenate([_centred(trace.signal_mv) for trace in traces.values()])
    if not curves_mv.any():
        return None
    # Not `@`: a product of this size wakes the threads of BLAS, which then spin as long as a page takes.
    sides = np.einsum("ij,j->i", _planes(len(curves_mv)), curves_mv) > 0
    return np.packbits(sides).tobytes().hex()


def same_curves(one: str, other: str) -> bool:
    """Decide whether two fingerprints are of the same curves."""
    return bool(bits_apart(pack_fingerprints([one]), other)[0] <= MOST_BITS_APART)


def pack_fingerprints(fingerprints: Iterable[str]) -> NDArray[np.uint64]:
    """Pack fingerprints for `bits_apart`: uint64 (fingerprints, 4)."""
    return np.frombuffer(bytes.fromhex("".join(fingerprints)), np.uint64).reshape(-1, FINGERPRINT_BITS // 64)


def bits_apart(packed: NDArray[np.uint64], fingerprint: str) -> NDArray[np.uint64]:
    """Count the bits in which each of ``packed`` differs from one fingerprint: (fingerprints,)."""
    differ: NDArray[np.uint64] = np.bitwise_count(packed ^ pack_fingerprints([fingerprint])).sum(axis=1)
    return differ


def _centred(signal_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.isfinite(signal_mv)
    if not known.any():
        return np.zeros_like(signal_mv)
    return np.where(known, signal_mv - np.median(signal_mv[known]), 0).astype(np.float32)


@cache
def _planes(samples: int) -> NDArray[np.float32]:
    """Draw -1 or 1, (bits, samples), from SHAKE-256: the same on every machine and with every version of NumPy."""
    stream = hashlib.shake_256(_PLANES).digest(FINGERPRINT_BITS * samples // 8)
    drawn = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(FINGERPRINT_BITS, samples)
    return drawn.astype(np.float32) * 2 - 1
