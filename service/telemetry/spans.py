"""Send spans of requests to an OpenTelemetry collector.

They hold what the log holds; instrumentation of frameworks would send addresses and headers.
"""

import logging
from http import HTTPStatus
from threading import Thread
from time import perf_counter, time_ns
from typing import Any

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, NoOpTracer, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation import set_span_in_context

from service import __version__
from service.errors import StartupError
from service.telemetry.metrics import NONE, RequestFacts
from service.telemetry.trace import TraceContext, watch_steps

__all__ = ["Spans"]

_FLUSH_S = 2.0

logger = logging.getLogger(__name__)


class Spans:
    """Send spans from a thread by OTLP/HTTP; raise `StartupError` if OTEL_SDK_DISABLED is set."""

    def __init__(self, endpoint: str) -> None:
        ours = {SERVICE_NAME: "ecg-report-classifier", SERVICE_VERSION: __version__}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("service", __version__)
        if isinstance(self._tracer, NoOpTracer):
            raise StartupError("ECG_OTLP_ENDPOINT and OTEL_SDK_DISABLED are both set. Leave one of them out.")
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", session=_Session())
        self._provider.add_span_processor(BatchSpanProcessor(exporter))

    def begin(self, parent: TraceContext | None, started_s: float) -> "RequestSpan":
        """Begin a request's span at ``started_s`` of `time.perf_counter`."""
        return RequestSpan(self._tracer, parent, started_s)

    def close(self) -> None:
        """Send the last spans within 2 s; the SDK would take 30."""
        flushing = Thread(target=self._provider.shutdown, name="spans", daemon=True)
        flushing.start()
        flushing.join(_FLUSH_S)
        if flushing.is_alive():
            logger.warning("spans_lost")


class RequestSpan:
    """A request's span, with a child for each step."""

    def __init__(self, tracer: Tracer, parent: TraceContext | None, started_s: float) -> None:
        self._tracer = tracer
        # Once: a clock jump must not tear the spans apart.
        self._epoch_ns = time_ns() - _ns(perf_counter())
        self._span = tracer.start_span(
            "HTTP", Context() if parent is None else _remote(parent), SpanKind.SERVER, start_time=self._at(started_s)
        )
        self._steps = watch_steps()

    @property
    def context(self) -> TraceContext:
        """The trace context for response and log."""
        own = self._span.get_span_context()
        return TraceContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", f"{own.trace_flags:02x}")

    def end(self, facts: RequestFacts, request_id: str, ended_s: float) -> None:
        """End the span, and send it with those of its steps."""
        inside = set_span_in_context(self._span, Context())
        for step in self._steps:
            span = self._tracer.start_span(step.name, inside, start_time=self._at(step.started_s))
            span.end(self._at(step.ended_s))
        attributes = _attributes(facts, request_id)
        names = (attributes["http.request.method"].replace("_OTHER", "HTTP"), attributes.get("http.route"))
        self._span.update_name(" ".join(filter(None, names)))
        self._span.set_attributes(attributes)
        if "error.type" in attributes:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(self._at(ended_s))

    def _at(self, time_s: float) -> int:
        return self._epoch_ns + _ns(time_s)


class _Session(requests.Session):
    """Log once when the collector fails, and when it recovers."""

    _problem: str | None = None

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self._note(type(error).__name__)
            raise
        self._note(None if response.ok else str(response.status_code))
        return response

    def _note(self, problem: str | None) -> None:
        if problem and problem != self._problem:
            logger.warning("spans_failing", extra={"fields": {"problem": problem}})
        elif self._problem and not problem:
            logger.info("spans_recovered")
        self._problem = problem


def _attributes(facts: RequestFacts, request_id: str) -> dict[str, Any]:
    """Follow https://opentelemetry.io/docs/specs/semconv/http/http-spans/."""
    named = {"http.route": facts.route, "ecg.bundle": facts.bundle, "ecg.code": facts.code}
    attributes: dict[str, Any] = {name: value for name, value in named.items() if value != NONE}
    attributes["http.request.method"] = "_OTHER" if facts.method == "other" else facts.method
    attributes["ecg.request_id"] = request_id
    if facts.status != NONE:
        attributes["http.response.status_code"] = int(facts.status)
    if facts.status == NONE or int(facts.status) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        attributes["error.type"] = attributes.get("ecg.code", "_OTHER")
    return attributes


def _remote(parent: TraceContext) -> Context:
    flags = TraceFlags(int(parent.flags, 16))
    span = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(span), Context())


def _ns(time_s: float) -> int:
    return int(time_s * 1e9)
