"""A collector as an OpenTelemetry exporter finds it: a real HTTP server that decodes what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["Collector", "attributes", "collecting"]


class Collector:
    """What was sent so far, and where to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        """What each batch is answered with."""
        self.paths: list[str] = []
        self.bodies: list[bytes] = []

    @property
    def resource(self) -> dict[str, str]:
        """Who sent the first batch."""
        return {one.key: one.value.string_value for one in self._requests[0].resource_spans[0].resource.attributes}

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order in which they ended."""
        groups = (scope for one in self._requests for part in one.resource_spans for scope in part.scope_spans)
        return [span for group in groups for span in group.spans]

    def requests(self, path: str) -> list[Span]:
        """The spans of requests of a route."""
        return [span for span in self.spans if attributes(span.attributes).get("http.route") == path]

    def inside(self, parent: Span) -> list[Span]:
        """Its children, by when they began."""
        children = (span for span in self.spans if span.parent_span_id == parent.span_id)
        return sorted(children, key=lambda span: span.start_time_unix_nano)

    @property
    def _requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]


def attributes(pairs: "Iterator[KeyValue] | list[KeyValue]") -> dict[str, str | int]:
    """As a dictionary, of words and whole numbers."""
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value for one in pairs
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.paths.append(self.path)
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
