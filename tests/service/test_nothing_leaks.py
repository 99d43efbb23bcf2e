"""What a sender writes, wherever it stands, gets into no line of the log, no metric and no line of the audit."""

import re
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.factories import encoded, page_jpeg
from tests.service.audits import audit_files
from tests.service.inference import page_input
from tests.service.process import Process, environment, running
from tests.service.scrape import Scrape
from tests.service.serving import form, wait_until

CANARY = "Zaphodbeeblebrox"
INFER = "/v2/models/production/infer"
_EXIF_DESCRIPTION, _EXIF_ARTIST = 0x010E, 0x013B
HEADERS = {
    "User-Agent": CANARY,
    "Cookie": f"name={CANARY}",
    "Referer": f"http://{CANARY}/",
    "X-Patient-Name": CANARY,
    "X-Request-ID": f"{CANARY} {CANARY}",
    "traceparent": f"00-{CANARY}-{CANARY}-01",
    "tracestate": f"name={CANARY}",
    "X-Forwarded-For": CANARY,
    "Authorization": f"Basic {CANARY}",
}


def marked_page(image_format: str) -> bytes:
    """A page that carries the canary in every place where its format keeps text."""
    with Image.open(BytesIO(page_jpeg())) as page:
        exif = Image.Exif()
        exif[_EXIF_DESCRIPTION] = exif[_EXIF_ARTIST] = CANARY
        if image_format == "JPEG":
            return encoded(page, "JPEG", exif=exif, comment=CANARY.encode(), quality=95)
        text = PngInfo()
        text.add_text("Patient", CANARY)
        return encoded(page, "PNG", exif=exif, pnginfo=text, compress_level=1)


def send_everywhere(process: Process) -> str:
    """Requests that are answered, and that are refused by every part that looks at one; gives the last one's id."""
    client = process.client
    client.headers.update(HEADERS)
    key = {"Idempotency-Key": CANARY}
    for page in (marked_page("JPEG"), marked_page("PNG")):
        assert client.post("/classify", content=page).is_success
        named = form((f'name="file"; filename="{CANARY}.jpg"', page))
        assert client.post("/classify", content=named["content"], headers=named["headers"] | key).status_code in {
            200,
            422,
        }
    for body in (CANARY.encode(), marked_page("JPEG")[:20_000], marked_page("PNG")[:20_000] + CANARY.encode()):
        assert client.post("/classify", content=body, headers={"Content-Type": f"image/{CANARY}"}).is_client_error
    for content_type in (f"multipart/form-data; boundary={CANARY}", "multipart/form-data; boundary=b"):
        form_text = (
            f"--b\r\nContent-Disposition: form-data; name={CANARY}\r\n{CANARY}: {CANARY}\r\n\r\n{CANARY}\r\n--b--"
        )
        assert client.post("/classify", content=form_text, headers={"Content-Type": content_type}).is_client_error
    assert client.post("/classify", content=CANARY, headers={"Idempotency-Key": f"{CANARY} {CANARY}"}).is_client_error
    for path in (f"/classify?model={CANARY}", f"/classify?{CANARY}={CANARY}", f"/classify?explain={CANARY}"):
        assert client.post(path, content=CANARY).is_client_error
    client.request(CANARY.upper(), "/classify")
    send_by_the_protocol(client)
    return client.get(f"/{CANARY}/{CANARY}?{CANARY}").headers["x-request-id"]


def send_by_the_protocol(client: httpx.Client) -> None:
    """The same by the Open Inference Protocol, whose requests have names of the sender's inside the JSON as well."""
    named = {"id": CANARY, "parameters": {CANARY: CANARY}, "inputs": [page_input(marked_page("JPEG"))]}
    assert client.post(INFER, json=named).is_success
    for body in (
        {"inputs": [page_input(CANARY.encode())]},
        {"inputs": [page_input(marked_page("PNG")[:20_000])]},
        {"inputs": [page_input(name=CANARY)]},
        {"inputs": [page_input() | {"data": [CANARY]}]},
        {"inputs": [page_input(b"x")], "outputs": [{"name": CANARY}]},
        {CANARY: CANARY},
    ):
        assert client.post(INFER, json=body).is_client_error
    length = {"Inference-Header-Content-Length": CANARY}
    assert client.post(INFER, content=CANARY, headers=length).is_client_error
    for path in (f"/v2/models/{CANARY}/infer", f"/v2/models/production/versions/{CANARY}/infer"):
        assert client.post(path, json=named).is_client_error
    for path in (f"/v2/models/{CANARY}", f"/v2/models/{CANARY}/ready", f"/models/{CANARY}/{CANARY}/card"):
        assert client.get(path).is_client_error


@pytest.mark.parametrize("log_format", ["line", pytest.param("json", marks=pytest.mark.campaign)])
def test_the_canary_is_nowhere(log_format: str, models_dir: Path, tmp_path: Path) -> None:
    settings = {"ECG_LOG_FORMAT": log_format, "ECG_LOG_LEVEL": "debug", "ECG_AUDIT_DIR": str(tmp_path)}
    with running(environment(models_dir, **settings)) as process:
        last = send_everywhere(process)
        wait_until(lambda: last in process.log)
        metrics = Scrape(process.client).text
        process.terminate()
        process.wait()
        log = process.log
    audit = b"".join(file.read_bytes() for file in audit_files(tmp_path)).decode()
    assert audit.count('"code": "ok"') >= 4
    assert '"code": "unsupported_format"' in audit
    for text in (log, metrics, audit):
        assert text
        assert not re.search(CANARY, text, re.IGNORECASE)
