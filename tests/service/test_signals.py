"""POST /digitize, and /classify of other carts' pages."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import wfdb

from digitize import digitize
from model_registry.registry import Registry
from service.signals import RECORD_NAME
from tests.bundles import publish_readers
from tests.factories import page_jpeg
from tests.other_carts import PLAIN, other_page
from tests.service.serving import problem, serving, settings_for


@pytest.fixture(scope="module")
def page() -> bytes:
    return other_page()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service whose model takes curves."""
    folder = tmp_path_factory.mktemp("models")
    registry = Registry(folder)
    registry.promote(publish_readers(registry))
    with serving(settings_for(folder)) as client:
        yield client


def digitized(client: httpx.Client, page: bytes, accept: str = "application/json") -> httpx.Response:
    response = client.post("/digitize", content=page, headers={"Accept": accept})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == accept
    return response


def test_leads_have_their_time_on_one_clock(client: httpx.Client, page: bytes) -> None:
    answer = digitized(client, page).json()
    assert answer["page"]["layout"] == "3x4"
    assert answer["page"]["scale"]["speed_mm_s"] == 25.0
    starts = {lead["lead"]: lead["start_s"] for lead in answer["leads"]}
    assert list(starts) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert [starts[name] for name in ("I", "aVR", "V1", "V4")] == pytest.approx([0, 2.5, 5, 7.5], abs=0.1)
    lead = answer["leads"][0]
    assert len(lead["signal_mv"]) / answer["rate_hz"] == pytest.approx(2.5, abs=0.1)


def test_table_and_record_hold_the_same_samples(client: httpx.Client, page: bytes, tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(digitized(client, page, "text/csv").text)))
    zipfile.ZipFile(io.BytesIO(digitized(client, page, "application/zip").content)).extractall(tmp_path)
    record = wfdb.rdrecord(str(tmp_path / RECORD_NAME))
    assert rows[0] == ["time_s", *record.sig_name]
    table = np.array([[float(cell or "nan") for cell in row[1:]] for row in rows[1:]])
    np.testing.assert_allclose(table, record.p_signal, atol=1e-3)


def test_the_overlay_is_the_page_with_curves(client: httpx.Client, page: bytes) -> None:
    content = digitized(client, page, "image/jpeg").content
    overlay = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    gray = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert overlay is not None
    assert gray is not None
    assert overlay.shape[:2] == gray.shape
    red = overlay[..., 2].astype(int) - overlay[..., 0] > 100
    assert 0.001 < red.mean() < 0.1
    assert gray[red].mean() < gray.mean() - 40, "curves lie on ink"


def test_a_page_without_its_scale_is_refused(client: httpx.Client) -> None:
    bare = other_page(replace(PLAIN, pulse="none", printed=""))
    for path in ("/digitize", "/classify"):
        refused = problem(client.post(path, content=bare), 422, "undigitized_page")
        assert "mm/s" in refused["expected"]


def test_a_lead_with_a_gap_is_read_and_not_classified(client: httpx.Client, page: bytes) -> None:
    gray = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    read = digitize(gray.astype(np.uint8))
    x, y = read.page_x[0], read.page_y[0]
    gap = slice(round(1.0 * read.rate_hz), round(1.35 * read.rate_hz))
    rows = slice(int(np.nanmin(y)) - 9, int(np.nanmax(y)) + 9)
    gray[rows, int(x[gap.start]) : int(x[gap.stop])] = 255
    gapped = bytes(cv2.imencode(".png", gray)[1])
    assert None in digitized(client, gapped).json()["leads"][0]["signal_mv"]
    refused = problem(client.post("/classify", content=gapped), 422, "undigitized_page")
    assert "lead I for" in refused["found"]


def test_crossing_beats_are_left_out_and_not_classified(client: httpx.Client) -> None:
    page = other_page(replace(PLAIN, row_mm=16.0, name_at=(1.0, 5.0)))
    assert any("run through other curves" in doubt for doubt in digitized(client, page).json()["doubts"])
    refused = problem(client.post("/classify", content=page), 422, "undigitized_page")
    assert "run through other curves" in refused["found"]


def test_a_scale_that_the_page_does_not_prove_may_be_stated(client: httpx.Client, page: bytes) -> None:
    bare = other_page(replace(PLAIN, pulse="none", printed=""))
    answer = client.post("/digitize?speed_mm_s=25&gain_mm_mv=10", content=bare).json()
    scale = answer["page"]["scale"]
    assert (scale["speed_source"], scale["gain_source"]) == ("stated", "stated")
    assert any("the sender states it" in doubt for doubt in answer["doubts"])
    proven = digitized(client, page).json()
    one, other = (np.array(each["leads"][1]["signal_mv"], float) for each in (answer, proven))
    samples = min(len(one), len(other))
    assert np.nanmedian(np.abs(one[:samples] - other[:samples])) < 0.1


@pytest.mark.parametrize(("query", "missing"), [("speed_mm_s=50", "mm/s"), ("gain_mm_mv=20", "mm/mV")])
def test_a_stated_scale_that_the_page_disproves_is_refused(
    client: httpx.Client, page: bytes, query: str, missing: str
) -> None:
    refused = problem(client.post(f"/digitize?{query}", content=page), 422, "undigitized_page")
    assert f"{missing} stated" in refused["found"]


def test_a_speed_that_no_cart_has_is_refused(client: httpx.Client, page: bytes) -> None:
    problem(client.post("/digitize?speed_mm_s=30", content=page), 422, "invalid_request")


def test_no_page_at_all_is_refused_by_name(client: httpx.Client) -> None:
    blank = bytes(cv2.imencode(".png", np.full((900, 1200), 240, np.uint8))[1])
    assert "grid" in problem(client.post("/digitize", content=blank), 422, "undigitized_page")["expected"]
    problem(client.post("/classify", content=blank), 422, "unsuitable_dimensions")


def test_unknown_parameters_are_refused(client: httpx.Client, page: bytes) -> None:
    problem(client.post("/digitize?format=csv", content=page), 422, "invalid_request")


def test_another_carts_page_is_answered_and_referred(client: httpx.Client, page: bytes) -> None:
    response = client.post("/classify", content=page)
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, answer
    assert answer["decision"] == "referred"
    assert "source_not_validated" in [reason["code"] for reason in answer["reasons"]]
    assert answer["placement"] is None
    assert answer["image"]["format"] == "PNG"
    assert "layout 3x4, 25 mm/s" in answer["source"]["how"]
    assert answer["seen_in_training"] is None
    assert answer["probabilities"] == answer["readers"]["findings_network"], "it knows more than one cart"


def test_our_own_page_is_still_ours(client: httpx.Client) -> None:
    answer = client.post("/classify", content=page_jpeg()).json()
    assert answer["placement"]["kind"] == "export"
    assert "source_not_validated" not in [reason["code"] for reason in answer["reasons"]]


def test_our_own_page_is_read_column_by_column(client: httpx.Client) -> None:
    answer = digitized(client, page_jpeg("normal", 2)).json()
    assert answer["placement"]["kind"] == "export"
    assert answer["page"] is None
    spans = {lead["lead"]: (lead["start_s"], len(lead["signal_mv"]) / answer["rate_hz"]) for lead in answer["leads"]}
    assert spans["V4"] == pytest.approx((7.5, 2.5), abs=0.15)
    assert max(length for _, length in spans.values()) == pytest.approx(10, abs=0.2), "the strip goes on with its lead"


def test_its_curves_lie_on_its_ink(client: httpx.Client) -> None:
    page = page_jpeg("normal", 2)
    overlay = cv2.imdecode(np.frombuffer(digitized(client, page, "image/jpeg").content, np.uint8), cv2.IMREAD_COLOR)
    gray = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert overlay is not None
    assert gray is not None
    red = overlay[..., 2].astype(int) - overlay[..., 0] > 100
    assert gray[red].mean() < gray.mean() - 60
