"""traceparent: taken where it is what the standard says, passed on with a span of ours, tied to the log."""

import logging

import httpx
import pytest

from service.telemetry.trace import TraceContext
from tests.service.serving import problem
from tests.service.test_request_context import request_logged

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WELL_FORMED = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header", [WELL_FORMED, f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-the-future-brings"]
)
def test_a_trace_is_passed_on_with_a_span_of_ours(header: str) -> None:
    callers = TraceContext.parse(header)
    assert callers
    assert callers.span_id == SPAN
    version, trace_id, span_id, flags = callers.child().header.split("-")
    assert (version, trace_id, flags) == ("00", TRACE, header.split("-")[3])
    assert span_id != SPAN
    assert TraceContext.parse(callers.child().header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "JaneDoe",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
        f"{WELL_FORMED}\n",
    ],
)
def test_what_is_malformed_is_no_trace(header: str) -> None:
    assert TraceContext.parse(header) is None


def test_the_log_and_the_answer_name_the_trace(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response = client.get("/nowhere", headers={"traceparent": WELL_FORMED})
        fields = request_logged(caplog, response.headers["x-request-id"])
    problem(response, 404, "not_found")
    assert response.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert fields["trace_id"] == TRACE


def test_no_trace_is_begun(client: httpx.Client) -> None:
    for headers in ({}, {"traceparent": "JaneDoe"}):
        assert "traceparent" not in client.get("/health", headers=headers).headers
