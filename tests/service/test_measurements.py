"""What an answer says was measured on a page or in a recording."""

from dataclasses import replace

import httpx
import numpy as np
import pytest

from shared_preproc.leads import LEADS, Lead
from synthetic.intervals import KnownHeart, print_recording, record_known_heart
from tests.factories import noise_jpeg, page_jpeg
from tests.service.serving import file_form

ST_MV = np.array([0.0, 0.15, 0.15, -0.075, -0.075, 0.15, 0, 0, 0, 0, 0, 0])
HEART = KnownHeart(rate_bpm=72, pr_ms=160, qrs_ms=96, qt_ms=390, axis_deg=50, st_mv=ST_MV)
WHOLE = ("pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "qtc_bazett_ms", "axis_deg")


def measured(client: httpx.Client, page: bytes) -> dict[str, object]:
    found: dict[str, object] = client.post("/classify", **file_form(page)).json()["measurements"]
    return found


def page_of(heart: KnownHeart) -> bytes:
    return print_recording(record_known_heart(heart, np.random.default_rng(4))[0])


def test_answer_has_what_was_drawn(client: httpx.Client) -> None:
    found = measured(client, page_of(HEART))
    assert (found["heart_rate_bpm"], found["regular"]) == (pytest.approx(72, abs=1), True)
    assert (found["pr_ms"], found["qrs_ms"]) == (pytest.approx(160, abs=15), pytest.approx(96, abs=10))
    assert (found["qt_ms"], found["axis_deg"]) == (pytest.approx(390, abs=20), pytest.approx(50, abs=5))
    assert all(isinstance(found[name], int) for name in WHOLE)


def test_every_lead_has_an_st_level(client: httpx.Client) -> None:
    levels = measured(client, page_of(HEART))["st_mv"]
    assert isinstance(levels, dict)
    assert list(levels) == [lead.value for lead in LEADS if lead is not Lead.RHYTHM_STRIP]
    assert levels["II"] == pytest.approx(0.15, abs=0.06)
    assert levels["V1"] == pytest.approx(0, abs=0.06)


def test_beats_and_waves_can_be_marked(client: httpx.Client) -> None:
    found = measured(client, page_of(HEART))
    beats, waves = found["beats"], found["waves_ms"]
    assert isinstance(beats, list)
    assert isinstance(waves, dict)
    peaks_s = record_known_heart(HEART, np.random.default_rng(4))[1]
    assert [beat["r_s"] for beat in beats] == pytest.approx(peaks_s, abs=0.03)
    assert waves["qrs_end"] - waves["qrs_onset"] == pytest.approx(found["qrs_ms"], abs=1)
    assert waves["qrs_onset"] - waves["p_onset"] == pytest.approx(found["pr_ms"], abs=1)
    assert waves["t_end"] - waves["qrs_onset"] == pytest.approx(found["qt_ms"], abs=1)


def test_fibrillation_is_irregular_without_pr(client: httpx.Client) -> None:
    found = measured(client, page_of(replace(HEART, pr_ms=None)))
    assert (found["regular"], found["pr_ms"], found["qtc_bazett_ms"]) == (False, None, None)
    assert found["qrs_ms"]


def test_refused_page_has_no_measurements(client: httpx.Client) -> None:
    assert "measurements" not in client.post("/classify", **file_form(noise_jpeg())).json()


def test_fields_are_described(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    described = schemas["PageMeasurements"]["properties"]
    assert list(described) == list(measured(client, page_jpeg()))
    assert {"waves_ms", "beats", "st_mv"} < set(described)
