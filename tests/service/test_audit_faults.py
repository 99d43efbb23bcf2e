"""The audit of a real process whose disk is full, which is killed, and which is told to stop."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tests.factories import page_jpeg
from tests.service.audits import answers, audit_files, audit_lines
from tests.service.process import Process, environment, running
from tests.service.scrape import Scrape
from tests.service.senders import sending
from tests.service.serving import problem, wait_until
from tests.service.small_disk import on_a_small_disk, require_namespaces

PAGE = page_jpeg()
KIB = 2**10
FULL_BYTES = 16 * KIB  # the log, which the limit holds as well, grows by far less for each page
INTERVAL_S = 0.2


def audited(models_dir: Path, folder: Path, **settings: str) -> dict[str, str]:
    fixed = {"ECG_AUDIT_DIR": str(folder), "ECG_AUDIT_SYNC_INTERVAL_S": str(INTERVAL_S)}
    return environment(models_dir, **(fixed | settings))


def classify_until_the_disk_is_full(process: Process) -> list[str]:
    """Give the request ids of the answers. Looks at the log: asking would fill it."""
    given: list[str] = []

    def full() -> bool:
        response = process.client.post("/classify", content=PAGE)
        if response.is_success:
            given.append(response.json()["request_id"])
        return "event=audit_failing" in process.log

    wait_until(full)
    return given


def recorded(folder: Path) -> list[str]:
    return [record["request_id"] for record in answers(folder)]


def test_full_disk_is_reported_and_costs_no_record(models_dir: Path, tmp_path: Path) -> None:
    with running(audited(models_dir, tmp_path)) as process:
        process.limit_files(FULL_BYTES)
        given = classify_until_the_disk_is_full(process)
        assert "level=error logger=service.audit event=audit_failing problem=EFBIG" in process.log
        assert process.client.get("/health").json()["degraded"] == ["audit"]
        given.append(process.client.post("/classify", content=PAGE).json()["request_id"])
        assert all(file.read_bytes().endswith(b"\n") for file in audit_files(tmp_path))
        assert len(recorded(tmp_path)) < len(given)
        process.limit_files(10 * FULL_BYTES)
        wait_until(lambda: "event=audit_recovered" in process.log)
        assert process.client.get("/health").json()["degraded"] == []
        assert Scrape(process.client).value("ecg_audit_lost_total") == 0
        assert recorded(tmp_path) == given


def test_a_full_disk_where_the_audit_is_required(models_dir: Path, tmp_path: Path) -> None:
    with running(audited(models_dir, tmp_path, ECG_AUDIT_REQUIRED="true")) as process:
        process.limit_files(FULL_BYTES)
        given = classify_until_the_disk_is_full(process)
        refused = process.client.post("/classify", content=PAGE)
        problem(refused, 503, "audit_unavailable")
        assert refused.headers["retry-after"] == "5"
        problem(process.client.get("/health"), 503, "audit_unavailable")
        assert process.client.get("/health/live").is_success
        assert Scrape(process.client).value("ecg_ready") == 0
        assert Scrape(process.client).value("ecg_rejects_total", code="audit_unavailable") >= 2
        process.limit_files(10 * FULL_BYTES)
        wait_until(lambda: "event=audit_recovered" in process.log)
        assert process.client.get("/health").is_success
        given.append(process.client.post("/classify", content=PAGE).json()["request_id"])
        wait_until(lambda: recorded(tmp_path) == given)


@pytest.mark.parametrize("required", [False, True])
def test_a_disk_that_is_full_under_load(required: bool, models_dir: Path, tmp_path: Path) -> None:
    """A disk that has no byte left, not a limit on the size of files: the runbook's first step makes room again."""
    require_namespaces()
    settings = audited(models_dir, tmp_path / "audit", ECG_AUDIT_REQUIRED=str(required))
    with running(settings, on_a_small_disk(tmp_path, 32 * FULL_BYTES)) as process:
        disk = process.root / tmp_path.relative_to("/")
        with sending(process.url) as answered:
            wait_until(lambda: len(recorded(disk / "audit")) > 5)
            with suppress(OSError), (disk / "old-files").open("wb", buffering=0) as old_files:
                while True:
                    old_files.write(bytes(KIB))
            wait_until(lambda: "event=audit_failing problem=ENOSPC" in process.log)
            while_full = len(answered)
            wait_until(lambda: len(answered) > while_full + 20)
            (disk / "old-files").unlink()
            wait_until(lambda: "event=audit_recovered" in process.log)
            after = len(answered)
            wait_until(lambda: any(answer.is_success for answer in answered[after + 5 :]))
        given = {answer.json()["request_id"] for answer in answered if answer.is_success}
        wait_until(lambda: set(recorded(disk / "audit")) == given)
        assert Scrape(process.client).value("ecg_audit_lost_total") == 0
    refused = [answer for answer in answered if not answer.is_success]
    assert bool(refused) == required
    for answer in refused:
        problem(answer, 503, "audit_unavailable")


def test_records_that_are_lost_are_counted_everywhere(models_dir: Path, tmp_path: Path) -> None:
    with running(audited(models_dir, tmp_path, ECG_AUDIT_QUEUE_RECORDS="2")) as process:
        process.limit_files(0)  # not one line more, of the log neither: what is said is said by /metrics and the audit
        for _ in range(5):
            assert process.client.post("/classify", content=PAGE).is_success
        wait_until(lambda: Scrape(process.client).value("ecg_audit_failing") == 1)
        assert Scrape(process.client).value("ecg_audit_lost_total") == 3
        process.limit_files(FULL_BYTES)
        wait_until(lambda: Scrape(process.client).value("ecg_audit_failing") == 0)
    assert [line["records"] for line in audit_lines(tmp_path) if line["type"] == "lost"] == [3]
    assert len(answers(tmp_path)) == 2


def send_until_dead(process: Process, dead: Event) -> list[tuple[str, float]]:
    """The request ids of the answers, and when each came."""
    given: list[tuple[str, float]] = []
    with httpx.Client(base_url=process.url) as client:
        while not dead.is_set():
            with suppress(httpx.TransportError):
                body: dict[str, Any] = client.post("/classify", content=PAGE).json()
                given.append((body["request_id"], time.monotonic()))
    return given


def test_sigkill_loses_at_most_the_last_batch(models_dir: Path, tmp_path: Path) -> None:
    dead = Event()
    with running(audited(models_dir, tmp_path)) as process, ThreadPoolExecutor(2) as threads:
        senders = [threads.submit(send_until_dead, process, dead) for _ in range(2)]
        wait_until(lambda: len(answers(tmp_path)) >= 10)
        killed_s = time.monotonic()
        process.kill()
        dead.set()
        given = [one for sender in senders for one in sender.result()]
    kept = set(recorded(tmp_path))
    assert len(kept) >= 10
    # An interval, and as much again for the batch that is written meanwhile on a machine that is busy.
    missing = [came_s for request_id, came_s in given if request_id not in kept]
    assert all(killed_s - came_s < 2 * INTERVAL_S + 1 for came_s in missing)
    with audit_files(tmp_path)[-1].open("ab") as file:
        file.write(b'{"schema": 1, "type": "answer", "requ')  # as a power cut can leave it
    with running(audited(models_dir, tmp_path)) as process:
        assert "event=audit_not_closed last_file=audit-00000001.jsonl ended=torn" in process.log
        assert Scrape(process.client).value("ecg_audit_unclean_start") == 1
        process.client.post("/classify", content=PAGE)
        wait_until(lambda: len(recorded(tmp_path)) == len(kept) + 1)
    opened = [line["previous"] for line in audit_lines(tmp_path) if line["type"] == "open"]
    assert opened == [None, {"file": "audit-00000001.jsonl", "end": "torn"}]


@pytest.mark.parametrize("in_haste", [False, True])
def test_sigterm_costs_no_record(in_haste: bool, models_dir: Path, tmp_path: Path) -> None:
    drain_delay_s = "600" if in_haste else "0"
    settings = audited(models_dir, tmp_path, ECG_AUDIT_SYNC_INTERVAL_S="600", ECG_DRAIN_DELAY_S=drain_delay_s)
    with running(settings) as process:
        given = [process.client.post("/classify", content=PAGE).json()["request_id"] for _ in range(3)]
        assert audit_files(tmp_path) == []
        process.terminate()
        if in_haste:
            wait_until(lambda: process.client.get("/health").status_code == 503)
            process.interrupt()
        assert process.wait() == -signal.SIGTERM
    assert recorded(tmp_path) == given
    assert audit_lines(tmp_path)[-1]["type"] == "close"
