"""Synthetic hearts obey the laws of the leads, carry the mark of their class, and repeat exactly."""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks
from shared_preproc.spec import MASKS_150
from synthetic.geometry import PageGeometry
from synthetic.pages import encode_jpeg, synth_page, synth_signals
from synthetic.render import SIGNAL_LEADS, Signals
from tests.factories import page_jpeg
from trainer.classes import CLASS_FOLDERS, CLASS_NAMES
from trainer.synth import synthesize

SEEDS = range(24)


def r_peaks_s(signals: Signals) -> NDArray[np.float64]:
    """Moments of the steepest part of each QRS: where the slopes of the chest leads, together, stand out."""
    slope = np.abs(np.diff(signals.mv[6:], axis=1)).sum(axis=0)
    steep = np.flatnonzero(slope > 0.4 * slope.max()) / signals.sampling_rate_hz
    return np.asarray(steep[np.diff(steep, prepend=-1.0) > 0.2])


def irregularity(signals: Signals) -> float:
    """Standard deviation of the RR intervals over their mean."""
    intervals_s = np.diff(r_peaks_s(signals))
    return float(intervals_s.std() / intervals_s.mean())


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_limb_leads_obey_einthoven_and_goldberger(class_name: str) -> None:
    signals = synth_signals(class_name, seed=3)
    one, two = signals.of(Lead.I), signals.of(Lead.II)
    np.testing.assert_array_equal(signals.of(Lead.III), two - one)
    np.testing.assert_array_equal(signals.of(Lead.AVR), -(one + two) / 2)
    np.testing.assert_array_equal(signals.of(Lead.AVL), one - two / 2)
    np.testing.assert_array_equal(signals.of(Lead.AVF), two - one / 2)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_signals_are_ten_seconds_in_the_carts_band(class_name: str) -> None:
    signals = synth_signals(class_name, seed=5)
    assert signals.mv.shape == (12, 10 * signals.sampling_rate_hz)
    assert np.abs(signals.mv.mean(axis=1)).max() < 1e-9
    assert 0.3 < np.abs(signals.mv).max() < 5
    windowed = signals.mv * np.hanning(len(signals.mv[0]))
    power = (np.abs(np.fft.rfft(windowed)) ** 2).sum(axis=0)
    hz = np.fft.rfftfreq(len(signals.mv[0]), 1 / signals.sampling_rate_hz)
    assert power[hz > 30].sum() < 1e-3 * power.sum()
    assert power[hz < 0.4].sum() < 1e-2 * power.sum()


def test_normal_hearts_beat_regularly_at_a_normal_rate() -> None:
    for seed in SEEDS:
        signals = synth_signals("normal", seed)
        assert irregularity(signals) < 0.06
        assert 0.6 < np.diff(r_peaks_s(signals)).mean() < 1.05


def test_abnormal_hearts_are_fast_slow_or_irregular() -> None:
    kinds = set()
    for seed in SEEDS:
        signals = synth_signals("abnormal_heartbeat", seed)
        mean_rr_s = np.diff(r_peaks_s(signals)).mean()
        kind = "irregular" if irregularity(signals) > 0.08 else "fast" if mean_rr_s < 0.55 else "slow"
        assert kind != "slow" or mean_rr_s > 1.2
        kinds.add(kind)
    assert kinds == {"irregular", "fast", "slow"}


def around_beats(signals: Signals, after_s: float) -> NDArray[np.float64]:
    """Mean voltage of each lead at a moment of the beat, against just before the P wave: (12,)."""
    peaks_s = r_peaks_s(signals)
    peaks_s = peaks_s[(peaks_s > 0.5) & (peaks_s < 9.5)]

    def at(offset_s: float) -> NDArray[np.float64]:
        samples = ((peaks_s + offset_s) * signals.sampling_rate_hz).astype(int)
        return np.asarray(signals.mv[:, samples].mean(axis=1))

    return at(after_s) - at(-0.25)


def test_infarction_raises_st_in_facing_leads() -> None:
    for seed in SEEDS:
        infarction = around_beats(synth_signals("myocardial_infarction", seed), 0.14)
        normal = around_beats(synth_signals("normal", seed), 0.14)
        assert infarction.max() > 0.12
        assert infarction.min() < -0.05
        assert np.ptp(infarction) > np.ptp(normal)


def test_past_infarction_turns_t_waves_over() -> None:
    upright = [SIGNAL_LEADS.index(lead) for lead in (Lead.I, Lead.II, Lead.V2, Lead.V3, Lead.V4, Lead.V5, Lead.V6)]
    for seed in SEEDS:
        past, normal = (around_beats(synth_signals(name, seed), 0.27) for name in ("history_of_mi", "normal"))
        assert normal[upright].min() > 0
        assert past[upright].min() < 0


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(KeyError):
        synth_signals("Normal", seed=0)


def test_a_seed_gives_its_page_and_no_other() -> None:
    np.testing.assert_array_equal(synth_page("normal", 7), synth_page("normal", 7))
    assert encode_jpeg(synth_page("normal", 7)) == encode_jpeg(synth_page("normal", 7))
    assert not np.array_equal(synth_page("normal", 7), synth_page("normal", 8))
    assert not np.array_equal(synth_signals("normal", 7).mv, synth_signals("history_of_mi", 7).mv)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_preprocessing_finds_a_trace_over_the_width_of_every_box(class_name: str) -> None:
    masks = page_masks(decode_page(page_jpeg(class_name, seed=2), EDAN_3X4_R1), MASKS_150)
    for lead, mask in masks.items():
        ink = mask > 0
        assert ink.any(axis=0).mean() > 0.97, lead
        assert 0.01 < ink.mean() < 0.09, lead


def test_preprocessing_finds_the_signal_that_was_printed() -> None:
    signals = synth_signals("normal", 11)
    masks = page_masks(decode_page(page_jpeg("normal", 11), EDAN_3X4_R1), MASKS_150)
    geometry = PageGeometry(EDAN_3X4_R1)
    for lead, box in EDAN_3X4_R1.lead_boxes:
        if lead is Lead.RHYTHM_STRIP:
            continue
        columns = np.arange(box.left + 80, box.right - 10)
        times_s = (columns - geometry.left_px) / geometry.px_per_s
        expected_mv = np.interp(times_s, np.arange(5000) / signals.sampling_rate_hz, signals.of(lead))
        rows = np.round(geometry.y_px(lead, 0) - expected_mv * geometry.px_per_mv).astype(int) - box.top
        assert (masks[lead][rows, columns - box.left] > 0).mean() > 0.97, lead


@pytest.mark.parametrize(("coarse", "least_bytes", "most_bytes"), [(False, 650_000, 750_000), (True, 250_000, 400_000)])
def test_pages_weigh_what_the_real_ones_do(coarse: bool, least_bytes: int, most_bytes: int) -> None:
    data = encode_jpeg(synth_page("normal", 1), coarse=coarse)
    assert least_bytes < len(data) < most_bytes
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (EDAN_3X4_R1.width_px, EDAN_3X4_R1.height_px)
        assert image.info["dpi"] == (200, 200)


def test_a_synthetic_page_has_the_quantization_of_a_real_one(golden_pages: list[Path]) -> None:
    def tables(data: bytes) -> str:
        with Image.open(io.BytesIO(data)) as image:
            return str([image.quantization[index] for index in (0, 1)])  # type: ignore[attr-defined]

    ours = {tables(encode_jpeg(synth_page("normal", 1), coarse=coarse)) for coarse in (False, True)}
    assert {tables(path.read_bytes()) for path in golden_pages} <= ours


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_synthesize_writes_labelled_folders_and_their_table(tmp_path: Path) -> None:
    synthesize(tmp_path, count=6, seed=4)
    assert {path.name: len(list(path.iterdir())) for path in tmp_path.iterdir() if path.is_dir()} == {
        "Abnormal": 2,
        "Histroy_MI": 2,
        "MI": 1,
        "Normal": 1,
    }
    with (tmp_path / "records.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert list(rows[0]) == ["class", "file", "sha256", "record_id", "copy_of"]
    for row in rows:
        assert row["class"] in CLASS_FOLDERS
        assert hashlib.sha256((tmp_path / row["class"] / row["file"]).read_bytes()).hexdigest() == row["sha256"]
        assert row["copy_of"] == ""
    assert len({row["record_id"] for row in rows}) == len({row["sha256"] for row in rows}) == 6


def test_synthesize_repeats_itself_for_any_count(tmp_path: Path) -> None:
    for name, count, seed in (("five", 5, 1), ("again", 5, 1), ("two", 2, 1), ("other", 2, 2)):
        synthesize(tmp_path / name, count, seed)
    five = contents(tmp_path / "five")
    assert five == contents(tmp_path / "again")
    two = {name: data for name, data in contents(tmp_path / "two").items() if name.endswith(".jpg")}
    assert len(two) == 2
    assert two.items() <= five.items()
    assert not set(two.values()) & set(contents(tmp_path / "other").values())
