"""Spans for a collector: one for each request and each step, nothing that a client writes, no harm without them."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories import page_jpeg
from tests.service.collector import Collector, attributes, collecting
from tests.service.inference import page_input
from tests.service.process import Process, environment, failed_start, running
from tests.service.serving import wait_until
from tests.service.test_nothing_leaks import CANARY, send_everywhere

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}  # milliseconds between two batches, instead of 5,000
WITHOUT_THE_EXTRA = (
    "-c",
    "import sys; sys.modules['opentelemetry.sdk'] = None; from service.__main__ import main; main()",
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def sending_to(url: str, models_dir: Path, **settings: str) -> dict[str, str]:
    return environment(models_dir, ECG_OTLP_ENDPOINT=url, **SOON, **settings)


@pytest.fixture(scope="module")
def sender(models_dir: Path) -> Iterator[tuple[Process, Collector]]:
    """A service and its collector."""
    with collecting() as collector, running(sending_to(collector.url + "/", models_dir)) as process:
        yield process, collector


@pytest.fixture
def traced(sender: tuple[Process, Collector]) -> tuple[Process, Collector]:
    """The same, with nothing collected yet: each test waits for the last of its spans."""
    sender[1].bodies.clear()
    return sender


def classify(process: Process, **headers: str) -> httpx.Response:
    return process.client.post("/classify", content=page_jpeg(), headers=headers)


def stop(process: Process) -> float:
    """Seconds until it ended, as it should."""
    started = time.monotonic()
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    return time.monotonic() - started


def test_a_request_is_a_span_of_the_callers_trace(traced: tuple[Process, Collector]) -> None:
    process, collector = traced
    answer = classify(process, traceparent=f"00-{TRACE}-{CALLER}-01")
    assert answer.is_success, answer.text
    wait_until(lambda: bool(collector.requests("/classify")))
    (span,) = collector.requests("/classify")
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.resource["service.name"] == "ecg-report-classifier"
    assert (span.name, span.kind, span.status.code) == ("POST /classify", span.SPAN_KIND_SERVER, 0)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert f"request_id={answer.headers['x-request-id']} trace_id={TRACE}" in process.log
    assert attributes(list(span.attributes)) == {
        "http.request.method": "POST",
        "http.route": "/classify",
        "http.response.status_code": 200,
        "ecg.bundle": "tiny/1",
        "ecg.request_id": answer.headers["x-request-id"],
    }


def test_the_steps_of_a_page_are_spans_inside_it(traced: tuple[Process, Collector]) -> None:
    process, collector = traced
    timings_ms = classify(process).json()["timings_ms"]
    wait_until(lambda: bool(collector.requests("/classify")))
    (span,) = collector.requests("/classify")
    steps = collector.inside(span)
    names = ["decode", "decode", "preprocess", "examine", "examine", "preprocess", "inference"]
    assert [step.name for step in steps] == names
    ends = [span.start_time_unix_nano]
    for step in steps:
        assert step.start_time_unix_nano >= ends[-1]  # one after the other
        ends.append(step.end_time_unix_nano)
    assert ends[-1] <= span.end_time_unix_nano
    for name in {step.name for step in steps}:
        spans_ns = sum(one.end_time_unix_nano - one.start_time_unix_nano for one in steps if one.name == name)
        assert spans_ns / 1e6 == pytest.approx(timings_ms[name], abs=0.01)


def test_several_pages_and_a_refused_one(traced: tuple[Process, Collector]) -> None:
    process, collector = traced
    pages = {"inputs": [page_input(page_jpeg(), page_jpeg())]}
    assert process.client.post("/v2/models/production/infer", json=pages).is_success
    refused = process.client.post("/classify", content=page_jpeg()[:20_000])
    wait_until(lambda: bool(collector.requests("/classify")))
    (both,) = collector.requests("/v2/models/{model}/infer")
    assert [step.name for step in collector.inside(both)].count("inference") == 2
    (span,) = collector.requests("/classify")
    assert [step.name for step in collector.inside(span)] == ["decode", "decode"]
    found = attributes(list(span.attributes))
    assert (found["ecg.code"], found["http.response.status_code"]) == ("undecodable_image", refused.status_code)
    assert "error.type" not in found  # a client's error is none of the server
    assert span.status.code == span.status.STATUS_CODE_UNSET


def test_what_fails_and_what_is_unknown(models_dir: Path, collector: Collector) -> None:
    settings = sending_to(collector.url, models_dir, ECG_REQUEST_DEADLINE_S="0.000001")
    with running(settings) as process:
        assert classify(process).status_code == 503
        process.client.request("PROPFIND", "/Doe")
        wait_until(lambda: any(span.name == "HTTP" for span in collector.spans))
    (failed,) = collector.requests("/classify")
    assert attributes(list(failed.attributes))["error.type"] == "deadline_exceeded"
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    (unknown,) = [span for span in collector.spans if span.name == "HTTP"]
    found = attributes(list(unknown.attributes))
    assert (found["http.request.method"], found["ecg.code"]) == ("_OTHER", "not_found")
    assert "http.route" not in found


def test_a_trace_is_begun_where_the_caller_has_none(traced: tuple[Process, Collector]) -> None:
    process, collector = traced
    answer = process.client.get("/models", headers={"traceparent": "JaneDoe"})
    wait_until(lambda: bool(collector.requests("/models")))
    (span,) = collector.requests("/models")
    assert not span.parent_span_id
    assert answer.headers["traceparent"].startswith(f"00-{span.trace_id.hex()}-{span.span_id.hex()}-")
    assert f"trace_id={span.trace_id.hex()}" in process.log


def test_a_caller_that_does_not_sample_is_heeded(traced: tuple[Process, Collector]) -> None:
    process, collector = traced
    answer = classify(process, traceparent=f"00-{TRACE}-{CALLER}-00")
    process.client.get("/models")  # its span comes after any of the page
    wait_until(lambda: bool(collector.requests("/models")))
    assert re.fullmatch(f"00-{TRACE}-(?!{CALLER})[0-9a-f]{{16}}-00", answer.headers["traceparent"])
    assert not collector.requests("/classify")


def test_what_is_left_is_sent_before_the_end(models_dir: Path, collector: Collector) -> None:
    settings = sending_to(collector.url, models_dir) | {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with running(settings) as process:
        assert classify(process).is_success
        assert not collector.bodies
        stop(process)
    assert len(collector.requests("/classify")) == 1


def test_the_canary_is_in_no_span(models_dir: Path, collector: Collector) -> None:
    others = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with running(sending_to(collector.url, models_dir, **others)) as process:
        send_everywhere(process)
        stop(process)
    assert set(collector.paths) == {"/v1/traces"}  # the framework's own would send logs and metrics as well
    assert len(collector.spans) > 50
    for body in collector.bodies:
        assert not re.search(CANARY.encode(), body, re.IGNORECASE)


def test_a_collector_that_is_down_harms_nothing_and_is_told_once(models_dir: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with running(sending_to(url, models_dir)) as process:
            wait_until(lambda: "spans_failing" in process.log)
            assert classify(process).is_success
            assert stop(process) < 5
            log = process.log
    assert log.count("event=spans_failing problem=ConnectionError") == 1
    assert "opentelemetry" not in log


def test_a_collector_that_never_answers_holds_nothing_up(models_dir: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        queue = {"OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2"}
        with running(sending_to(url, models_dir, **queue)) as process:
            exporter, _ = silent.accept()
            with exporter:  # which waits from here on
                for _ in range(20):
                    assert process.client.get("/health").is_success
                assert classify(process).is_success
                assert stop(process) < 5
            log = process.log
    assert "spans_lost" in log
    assert "Queue full" not in log


def test_a_collector_that_refuses_and_one_that_is_back(models_dir: Path, collector: Collector) -> None:
    collector.status = 401
    with running(sending_to(collector.url, models_dir)) as process:
        wait_until(lambda: "spans_failing problem=401" in process.log)
        collector.status = 200
        process.client.get("/health")
        wait_until(lambda: "spans_recovered" in process.log)


def test_without_the_extra_the_start_is_refused_with_a_remedy(models_dir: Path) -> None:
    failed = failed_start(sending_to("http://127.0.0.1:4318", models_dir), WITHOUT_THE_EXTRA)
    assert failed.returncode == 2
    assert "ECG_OTLP_ENDPOINT is set, but OpenTelemetry is not installed." in failed.stderr
    assert "Install this package with the extra `otel`" in failed.stderr


def test_without_the_extra_and_the_setting_all_is_as_ever(models_dir: Path) -> None:
    with running(environment(models_dir), WITHOUT_THE_EXTRA) as process:
        assert classify(process).is_success


def test_the_sdk_shut_off_is_a_contradiction(models_dir: Path) -> None:
    failed = failed_start(sending_to("http://127.0.0.1:4318", models_dir, OTEL_SDK_DISABLED="true"))
    assert failed.returncode == 2
    assert "ECG_OTLP_ENDPOINT and OTEL_SDK_DISABLED are both set." in failed.stderr
