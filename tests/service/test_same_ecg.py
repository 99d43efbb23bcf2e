"""One ECG in three forms: recordings of PTB-XL as WFDB, as another project's vector PDF, and as the cart's page."""

import io
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from shared_preproc.recording import Recording
from synthetic.intervals import print_recording
from tests.conftest import REPOSITORY
from tests.service.serving import TIMEOUT_S, serving, settings_for
from tests.sources.signals import wfdb_files, zipped

pytestmark = pytest.mark.slow

RATE_HZ = 100
MOST_APART = 0.05


@pytest.fixture(scope="module")
def shipped() -> Iterator[httpx.Client]:
    """The service with the shipped models."""
    with serving(settings_for(REPOSITORY / "models", request_deadline_s=TIMEOUT_S)) as client:
        yield client


@pytest.fixture(scope="module")
def answers(shipped: httpx.Client, shared_dir: Path) -> list[dict[str, dict[str, Any]]]:
    """For each record, what the service says about each form."""
    packed = np.load(io.BytesIO(lzma.decompress((shared_dir / "data" / "ptbxl-100hz.npz.xz").read_bytes())))
    signal_uv = dict(zip(packed["ecg_id"].tolist(), packed["signal_uv"], strict=True))
    every = []
    for file in sorted(shared_dir.glob("data/pdf/*.pdf")):
        raw = signal_uv[int(file.name.partition("_")[0])]
        forms = {
            "wfdb": zipped(wfdb_files(raw, RATE_HZ)),
            "pdf_curves": file.read_bytes(),
            "jpeg": print_recording(Recording(raw / 1000, RATE_HZ)),
        }
        responses = {kind: shipped.post("/classify", content=data).raise_for_status() for kind, data in forms.items()}
        every.append({kind: response.json() for kind, response in responses.items()})
    assert all(answer["source"]["kind"] == kind for forms in every for kind, answer in forms.items())
    return every


def test_three_forms_get_the_same_class(answers: list[dict[str, dict[str, Any]]]) -> None:
    classes = [{answer["predicted_class"] for answer in forms.values()} for forms in answers]
    assert [len(found) for found in classes] == [1] * 12


def test_three_forms_get_like_probabilities(answers: list[dict[str, dict[str, Any]]]) -> None:
    apart = []
    for forms in answers:
        values = np.array([list(answer["probabilities"].values()) for answer in forms.values()])
        apart.append(np.ptp(values, axis=0).max())
    assert np.median(apart) <= MOST_APART
