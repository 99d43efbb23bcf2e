"""Labelled pages or recordings as a bundle takes them: tensors, heart rates, doubts, and what was refused."""

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model_registry.bundle import Bundle
from shared_preproc.errors import (
    NotAnEcgPageError,
    PreprocError,
    UndecodableImageError,
    UnreadableLeadsError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)
from shared_preproc.evidence import examine
from shared_preproc.picture import decode_picture
from shared_preproc.pipeline import read_page
from shared_preproc.quality import measure_quality
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.sheet import place
from shared_preproc.spec import PreprocSpec, TraceTensor
from shared_preproc.tensor import Tensor
from trainer.dataset import LabelledPage, read_data
from trainer.errors import DatasetError
from trainer.rates import heart_rates
from trainer.signals import SignalSet, class_row, recording_sha256, spread
from trainer.statements import CLASS_STATEMENTS
from trainer.validation.figures import Labels

__all__ = ["CART_BAND_HZ", "Inputs", "page_inputs", "signal_inputs"]

CART_BAND_HZ = (0.67, 25.0)
"""What the cart of `EDAN_3X4_R1` prints."""

_REFUSALS: Mapping[type[PreprocError], str] = {
    UnsupportedFormatError: "unsupported_format",
    UndecodableImageError: "undecodable_image",
    UnsuitableDimensionsError: "unsuitable_dimensions",
    NotAnEcgPageError: "not_an_ecg_page",
    UnreadableLeadsError: "unreadable_leads",
}
"""The codes that the service answers with."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the graph is given, one row each."""

    name: str
    kind: str
    """``pages`` or ``recordings``."""
    ids: tuple[str, ...]
    sha256: tuple[str, ...]
    """Of each page's file, or of each recording's samples (`recording_sha256`); hex."""
    fingerprints: tuple[str | None, ...]
    """Of each page's curves; None for recordings."""
    tensors: Tensor
    heart_rates_bpm: NDArray[np.float64]
    """NaN where no rate was found."""
    doubts: tuple[tuple[str, ...], ...]
    """Codes of what is doubtful about each page."""
    labels: Labels
    refused: dict[str, int]
    """Pages that the service would refuse, by code; they have no row."""

    def trained_on(self, bundle: Bundle) -> tuple[str | None, ...]:
        """Give, for each row, the SHA-256 under which the bundle was trained on it; None where it was not."""
        if bundle.trained_on is None:
            return (None,) * len(self.ids)
        return tuple(map(bundle.trained_on.find, self.sha256, self.fingerprints))


def page_inputs(data: Path, groups_csv: Path | None, spec: PreprocSpec, limit: int | None = None) -> Inputs:
    """Read class folders of pages as the service does; of copies, one.

    Raises:
        DatasetError: there is no class folder, the table of groups is unusable, or every page is refused.
    """
    found = read_data(data, groups_csv, every_class=False)
    pages = list({page.image: page for page in reversed(found.pages)}.values())[::-1]
    pages = [pages[place] for place in spread(len(pages), limit)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = pool.map(lambda page: _read(page, spec), pages)
        read = list(tqdm(rows, total=len(pages), desc="read pages", unit="page", disable=None))
    kept = [(page, row) for page, row in zip(pages, read, strict=True) if not isinstance(row, str)]
    refused = Counter(_REFUSALS[type(error)] for error in found.refused.values())
    refused.update(row for row in read if isinstance(row, str))
    if not kept:
        raise DatasetError(f"{data}: every page is refused ({', '.join(refused)}); is it of the bundle's layout?")
    names = [page.class_name for page, _ in kept]
    return Inputs(
        data.name,
        "pages",
        tuple(f"{page.path.parent.name}/{page.path.name}" for page, _ in kept),
        tuple(page.sha256 for page, _ in kept),
        tuple(page.fingerprint for page, _ in kept),
        np.stack([row.tensor for _, row in kept]),
        np.array([row.heart_rate_bpm for _, row in kept]),
        tuple(row.doubts for _, row in kept),
        Labels(
            np.stack([class_row([name]) for name in names]),
            tuple(CLASS_STATEMENTS[name] for name in names),
            tuple(page.group for page, _ in kept),
        ),
        dict(refused),
    )


def signal_inputs(signals: SignalSet, spec: PreprocSpec, band_hz: tuple[float, float] | None) -> Inputs:
    """Arrange recordings as ``spec.layout`` prints them, within ``band_hz``; None leaves the band as it is.

    Raises:
        DatasetError: the bundle takes no traces, or there is no recording.
    """
    if not isinstance(spec.tensor, TraceTensor):
        raise DatasetError("this bundle takes pictures of leads, not curves: give it class folders of pages")
    if not len(signals):
        raise DatasetError(f"{signals.name} holds no recording")
    tensors = np.empty((len(signals), *spec.tensor_shape), np.float32)
    for row, signal_mv in enumerate(tqdm(signals.signal_mv, desc="arrange recordings", disable=None)):
        recording = Recording(signal_mv.astype(np.float64), signals.rate_hz)
        tensors[row] = recording_tensor(recording.band_passed(*band_hz) if band_hz else recording, spec)
    return Inputs(
        signals.name,
        "recordings",
        signals.ids,
        tuple(recording_sha256(signal_mv) for signal_mv in signals.signal_mv),
        (None,) * len(signals),
        tensors,
        heart_rates(tensors, spec),
        ((),) * len(signals),
        Labels(signals.classes, signals.statements, signals.patients),
        {},
    )


@dataclass(frozen=True, eq=False)
class _Page:
    tensor: Tensor
    heart_rate_bpm: float
    doubts: tuple[str, ...]


def _read(page: LabelledPage, spec: PreprocSpec) -> _Page | str:
    """What a page gives, or the code of its refusal."""
    try:
        sheet = place(decode_picture(page.path.read_bytes()), spec.layout)
        reading = read_page(sheet.page, spec)
        doubts = examine(sheet.page, reading, spec, placement=sheet.placement, form=sheet.form)
    except PreprocError as error:
        return _REFUSALS[type(error)]
    rate = measure_quality(reading, spec).heart_rate_bpm
    return _Page(reading.tensor(spec), np.nan if rate is None else rate, tuple(doubt.code for doubt in doubts))
