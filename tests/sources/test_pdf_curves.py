"""Curves of drawings that are nearly ECG pages: read or not proven, and no other error."""

from functools import cache

import numpy as np
import pytest

from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS
from sources import pdf
from sources.pdf_curves import read_curves
from sources.pdf_drawing import Drawing, NotProvenError
from tests.sources.pdfs import Print, drawn_mv, ecg_pdf


@cache
def drawing(*, joined: bool = False) -> Drawing:
    return pdf._drawing(*pdf._run(ecg_pdf(Print(rate_hz=250, joined=joined)), "look"))


def twelve_rows(samples: int = 2500) -> Drawing:
    """Twelve leads of 10 s, each in a row of its own, names at the left."""
    signal_mv = drawn_mv(250)[:, :samples]
    per_s, per_mv = 70.866, 28.346
    lines, texts = [], []
    for row, (lead, samples_mv) in enumerate(zip(RECORDED_LEADS, signal_mv, strict=True)):
        zero = 1200.0 - 90 * row
        x = np.array([10, 12, 12, 12 + 0.2 * per_s, 12 + 0.2 * per_s, 14 + 0.2 * per_s])
        lines.append(np.stack([x, zero + per_mv * np.array([0, 0, 1, 1, 0, 0])], axis=1))
        lines.append(np.stack([40 + np.arange(len(samples_mv)) / 250 * per_s, zero + samples_mv * per_mv], axis=1))
        texts.append((lead.value, 5.0, zero + 3))
    return Drawing(tuple(lines), tuple(texts))


def test_twelve_rows_are_read_without_a_strip() -> None:
    curves = read_curves(twelve_rows())
    assert np.abs(curves.recording.signal_mv - drawn_mv(250)[:, :2500]).max() < 1e-4


def test_short_page_is_not_proven() -> None:
    with pytest.raises(NotProvenError, match="shows 4"):
        read_curves(twelve_rows(1000))


def test_strip_of_another_recording_is_not_proven() -> None:
    ours = drawing()
    other = pdf._drawing(*pdf._run(ecg_pdf(Print(rate_hz=250), seed=5), "look"))
    strip = max(range(len(ours.polylines)), key=lambda place: len(ours.polylines[place]))
    lines = list(ours.polylines)
    lines[strip] = other.polylines[strip]
    with pytest.raises(NotProvenError, match="strip"):
        read_curves(Drawing(tuple(lines), ours.texts))


def test_points_outside_of_any_page_are_not_proven() -> None:
    lines = (*drawing().polylines, np.full((4, 2), np.inf))
    with pytest.raises(NotProvenError, match="outside"):
        read_curves(Drawing(lines, drawing().texts))


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("seed", range(150))
def test_spoiled_drawings_raise_nothing_else(seed: int, joined: bool) -> None:
    """What is read all the same keeps the samples of the drawing."""
    rng = np.random.default_rng(seed)
    whole = drawing(joined=joined)
    lines, texts = [line.copy() for line in whole.polylines], list(whole.texts)
    for _ in range(rng.integers(1, 3)):
        place, text = rng.integers(len(lines)), rng.integers(len(texts))
        match rng.integers(8):
            case 0:
                del lines[place]
            case 1:
                lines[place] = lines[place][: rng.integers(1, len(lines[place]) + 1)]
            case 2:
                lines.append(lines[place] + rng.normal(0, 30, 2))
            case 3:
                lines[place] = lines[place] * rng.uniform(0.5, 2)
            case 4:
                lines[place] = lines[place][::-1]
            case 5:
                del texts[text]
            case 6:
                texts.append((RECORDED_LEADS[rng.integers(12)].value, *rng.uniform(0, 800, 2)))
            case _:
                lines[place][rng.integers(len(lines[place]))] += 1e30
    try:
        curves = read_curves(Drawing(tuple(lines), tuple(texts)))
    except NotProvenError:
        return
    first, second, third = (curves.samples_mv[lead] for lead in (Lead.I, Lead.II, Lead.III))
    assert np.abs(second[: len(first)] - first - third).max() < 0.02
