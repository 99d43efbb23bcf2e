"""Pages that come by the Open Inference Protocol are counted and recorded like all others."""

import hashlib
from pathlib import Path
from typing import Any

from service.auth.keys import new_key
from tests import factories
from tests.service.audits import answers
from tests.service.inference import error, page_input
from tests.service.scrape import Scrape
from tests.service.serving import serving, settings_for, wait_until

PAGES = [factories.page_jpeg(), factories.page_jpeg(seed=1)]
INFER = "/v2/models/production/infer"


def test_each_page_is_recorded_and_counted_as_one_of_its_own(models_dir: Path, tmp_path: Path) -> None:
    key, line = new_key("pacs")
    (tmp_path / "keys").write_text(line)
    settings = settings_for(models_dir, keys_file=tmp_path / "keys", audit_dir=tmp_path / "audit")
    with serving(settings) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        body = {"inputs": [page_input(*PAGES)]}
        answer = client.post(INFER, json=body, headers={"X-Request-ID": "both", "Idempotency-Key": "a"})
        assert answer.is_success
        damaged = {"inputs": [page_input(PAGES[0], factories.blank_png())]}
        error(client.post(INFER, json=damaged, headers={"X-Request-ID": "half"}), 422, "not_an_ecg_page")
        error(client.post(INFER, content=b"{", headers={"X-Request-ID": "none"}), 400, "invalid_inference")
        route = {"route": "/v2/models/{model}/infer", "bundle": "tiny/1"}
        wait_until(lambda: Scrape(client).value("ecg_requests_total", **route) == 3)
        scrape = Scrape(client)
    assert scrape.value("ecg_requests_total", **route, status="422", code="not_an_ecg_page") == 1
    assert scrape.value("ecg_requests_total", **route, status="400", code="invalid_inference") == 1
    assert scrape.value("ecg_decisions_total", bundle="tiny/1") == 2
    first, second, refused = answers(tmp_path / "audit")
    for record, page in zip((first, second, refused), (*PAGES, factories.blank_png()), strict=True):
        assert (record["key_id"], record["bundle"], record["replay_of"]) == ("pacs", "tiny/1", None)
        assert record["image_sha256"] == hashlib.sha256(page).hexdigest()
    assert [record["request_id"] for record in (first, second, refused)] == ["both", "both", "half"]
    assert [record["decision"] for record in (first, second)] == answer.json()["outputs"][2]["data"]
    assert (first["code"], refused["code"]) == ("ok", "not_an_ecg_page")


def test_required_audit_that_fails_stops_answers(models_dir: Path, tmp_path: Path) -> None:
    required: dict[str, Any] = {"audit_dir": tmp_path, "audit_required": True, "audit_queue_records": 1}
    with serving(settings_for(models_dir, audit_sync_interval_s=60, **required)) as client:
        body = {"inputs": [page_input(*PAGES)]}
        error(client.post(INFER, json=body), 503, "audit_unavailable")
        refusal = client.get("/v2/health/ready")
        error(refusal, 503, "audit_unavailable")
        assert refusal.headers["retry-after"] == "5"
