"""Every page of a protocol, read once: what each network and each baseline takes of it."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from shared_preproc.page import decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.rhythm import find_beats, rhythm_features
from shared_preproc.spec import MASKS_150, TRACES_50_HZ
from trainer.classes import CLASS_NAMES
from trainer.dataset import LabelledPage
from trainer.errors import DatasetError
from trainer.rates import at_reference_rate, heart_rates
from trainer.template import Template, read_template

__all__ = ["PageSet", "read_page_set"]


@dataclass(frozen=True, eq=False)
class PageSet:
    """Pages in memory, one row each."""

    pages: tuple[LabelledPage, ...]
    masks: NDArray[np.uint8]
    """(pages, 13, 150, 150), as `MASKS_150` makes them."""
    traces: NDArray[np.float32]
    """(pages, samples, 3), millivolt, as `TRACES_50_HZ` makes them."""
    rhythm: NDArray[np.float32]
    """(pages, features) of the rhythm strip."""
    templates: tuple[Template, ...]
    """What each page gives away with its curves masked out."""

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Places in `CLASS_NAMES`, (pages,)."""
        return np.array([CLASS_NAMES.index(page.class_name) for page in self.pages])

    @cached_property
    def heart_rates_bpm(self) -> NDArray[np.float64]:
        """Of each page's rhythm strip, (pages,); NaN where no rate was found."""
        return heart_rates(self.traces)

    @cached_property
    def traces_again(self) -> NDArray[np.float32]:
        """`traces` at the reference heart rate."""
        return at_reference_rate(self.traces, self.heart_rates_bpm)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """What stays on one side of a split, (pages,)."""
        return np.array([page.group for page in self.pages])


def read_page_set(pages: Sequence[LabelledPage]) -> PageSet:
    """Read ``pages`` through the preprocessing that serving uses, on all cores; a file that stands twice is read once.

    Raises:
        DatasetError: a page cannot be preprocessed.
    """
    first = {page.sha256: page for page in reversed(pages)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding and filtering release the GIL
        rows = list(
            tqdm(pool.map(_read, first.values()), total=len(first), desc="read pages", unit="page", disable=None)
        )
    of = dict(zip(first, rows, strict=True))
    masks, traces, rhythm, templates = zip(*(of[page.sha256] for page in pages), strict=True)
    return PageSet(tuple(pages), np.stack(masks), np.stack(traces), np.stack(rhythm), templates)


_Row = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], Template]


def _read(page: LabelledPage) -> _Row:
    try:
        decoded = decode_page(page.path.read_bytes(), TRACES_50_HZ.layout)
    except PreprocError as error:
        raise DatasetError(f"{page.path}: {error}") from error
    reading = read_page(decoded, TRACES_50_HZ)
    return (
        reading.tensor(MASKS_150).astype(np.uint8, copy=False),
        reading.tensor(TRACES_50_HZ).astype(np.float32, copy=False),
        _rhythm(reading),
        read_template(decoded, reading, TRACES_50_HZ),
    )


def _rhythm(reading: PageReading) -> NDArray[np.float32]:
    strip, rate_hz = reading.traces[Lead.RHYTHM_STRIP], TRACES_50_HZ.trace.rate_hz
    return rhythm_features(find_beats(strip, rate_hz), strip, rate_hz)
