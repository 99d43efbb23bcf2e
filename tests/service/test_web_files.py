"""How the files of the page are sent: kept as long as they may be, small, and the sample is a page that is read."""

import httpx
import numpy as np
import pytest

from service.routes.web import SAMPLE_FILE, WEB_FOLDER
from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.page import decode_page
from synthetic.pages import synth_jpeg
from tests.bundles import CRITICAL
from tests.conftest import REPOSITORY
from tests.service.serving import serving, settings_for

FILES = sorted(path.name for path in WEB_FOLDER.iterdir() if path.name != SAMPLE_FILE)


@pytest.mark.parametrize("name", FILES)
def test_web_files_are_revalidated(client: httpx.Client, name: str) -> None:
    response = client.get(f"/web/{name}", headers={"Accept-Encoding": "gzip"})
    text = (WEB_FOLDER / name).read_text()
    assert (response.text, response.headers["cache-control"]) == (text, "no-cache")
    assert (response.headers.get("content-encoding") == "gzip") == (len(text.encode()) >= 500)
    again = client.get(f"/web/{name}", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    plain = client.get(f"/web/{name}", headers={"Accept-Encoding": "identity"})
    assert (plain.text, "content-encoding" in plain.headers) == (text, False)


def test_sample_is_a_small_cacheable_synthetic_page(client: httpx.Client) -> None:
    response = client.get(f"/web/{SAMPLE_FILE}")
    assert (response.headers["content-type"], response.headers["cache-control"]) == ("image/jpeg", "max-age=86400")
    assert "content-encoding" not in response.headers
    assert len(response.content) <= 450_000
    # As `python -m trainer synth` draws it, up to what another version of libjpeg rounds otherwise.
    drawn = (decode_page(page, EDAN_3X4_R1).gray for page in (response.content, synth_jpeg(CRITICAL, seed=14)))
    sent, expected = (gray.astype(np.int16) for gray in drawn)
    assert np.abs(sent - expected).mean() < 1
    assert client.post("/classify", content=response.content).status_code == 200


def test_the_default_model_names_what_the_sample_shows() -> None:
    with serving(settings_for(REPOSITORY / "models")) as client:
        answer = client.post("/classify", content=(WEB_FOLDER / SAMPLE_FILE).read_bytes()).json()
    assert answer["predicted_class"] == CRITICAL
    assert {reason["code"] for reason in answer["reasons"]} <= {
        "readers_disagree",
        "uncertain",
    }  # drawn, so no infarction to the findings
    assert answer["seen_in_training"] is False
