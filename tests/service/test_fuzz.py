"""A bounded part of `benchmarks.fuzz`: no spoiled request brings a fault, a hang or an undocumented answer."""

import json
import time
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import httpx
import pytest

from benchmarks.fuzz import SETTINGS, attack, pages, what_broke
from benchmarks.fuzz_requests import Case, Requests
from benchmarks.fuzz_verdict import Answer, fault
from service.auth.keys import new_key
from tests.factories import page_png
from tests.service.process import environment, running

CASES = 400
SECONDS = 60.0
KEY, LINE = new_key("fuzzer")


@pytest.mark.parametrize(
    ("key", "first"), [pytest.param(None, 0, marks=pytest.mark.campaign), pytest.param(KEY, CASES, id="key")]
)
def test_spoiled_requests_are_answered_as_documented(
    key: str | None, first: int, models_dir: Path, tmp_path: Path
) -> None:
    settings = environment(models_dir, **SETTINGS, ECG_AUDIT_DIR=str(tmp_path / "audit"))
    if key is not None:
        (tmp_path / "keys").write_text(LINE)
        settings["ECG_KEYS_FILE"] = str(tmp_path / "keys")
    requests = Requests(0, pages(), key)
    with running(settings) as process:
        tally = attack(process.url, requests, range(first, first + CASES), end_s=time.monotonic() + SECONDS)
        assert not tally.faults, "\n".join(tally.lines())
        assert what_broke(process) is None
        statuses = {answered.split()[0] for _, answered in tally.counts}
        assert statuses >= {"200", "400", "404", "405", "408", "415", "421", "422"}
        assert ("401" in statuses) == (key is not None)


def test_a_number_makes_the_same_case_again() -> None:
    first, second = (Requests(7, [page_png()]) for _ in range(2))
    assert [first.case(number) for number in range(100)] == [second.case(number) for number in range(100)]


CASE = Case("image", "POST", "/classify", b"")
PROBLEM: dict[str, Any] = {
    "type": "urn:ecg-report-classifier:problem:missing_file",
    "title": "a title",
    "status": 422,
    "detail": "a detail",
    "code": "missing_file",
    "expected": "a page",
    "found": "none",
    "remedy": "Send one.",
    "request_id": "an-id",
}


def refused(body: dict[str, Any], status: int = 422) -> Answer:
    headers = {"content-type": "application/problem+json", "x-request-id": "an-id"}
    return Answer(status, headers, json.dumps(body).encode())


def test_what_is_documented_is_no_fault() -> None:
    assert fault(CASE, refused(PROBLEM)) is None


@pytest.mark.parametrize(
    "answer",
    [
        refused(PROBLEM | {"status": 500}, 500),
        refused(PROBLEM, 404),
        refused(PROBLEM | {"code": "another"}),
        refused(PROBLEM | {"extra": 1}),
        refused(PROBLEM | {"remedy": ""}),
        refused(PROBLEM | {"request_id": "another"}),
        refused({}),
        Answer(400, {"content-type": "text/plain"}, b"Invalid HTTP request received."),
        Answer(200, {"content-type": "application/json"}, b"{}"),
    ],
)
def test_what_is_not_documented_is_a_fault(answer: Answer) -> None:
    assert fault(CASE, answer) is not None


def test_connection_closed_without_answer_is_a_fault() -> None:
    with create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(2**16)
            connection.close()

        requests = Requests(0, [page_png()])
        number = next(n for n in range(100) if (case := requests.case(n)).kind == "method" and case.is_http)
        closing = Thread(target=hang_up)
        closing.start()
        url = httpx.URL(f"http://127.0.0.1:{listener.getsockname()[1]}")
        tally = attack(url, requests, range(number, number + 1), end_s=time.monotonic() + 10)
        closing.join()
    assert [one.fault for one in tally.faults] == ["no answer"]
