"""The `traceparent` header, by which tracing systems tie a request's log lines together (W3C Trace Context).

Knows no tracing system: takes a trace that a client began and passes it on, begins none.
"""

import re
import secrets
from dataclasses import dataclass

__all__ = ["TRACE_HEADER", "TraceContext"]

TRACE_HEADER = "traceparent"

# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace-id, parent-id, trace-flags. A later version
# may append to that; ff is no version, and an id of zeros none either.
_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_OUR_VERSION = "00"


@dataclass(frozen=True)
class TraceContext:
    """A trace that this exchange is a part of."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits: this exchange, as the trace's parent of whatever follows."""
    flags: str

    @classmethod
    def parse(cls, header: str) -> "TraceContext | None":
        """The trace that a header names, with a span of ours; None where it is malformed, as the standard demands."""
        found = _HEADER.fullmatch(header)
        if found is None or (found[1] == _OUR_VERSION and found[4]):
            return None
        return cls(trace_id=found[2], span_id=secrets.token_hex(8), flags=found[3])

    @property
    def header(self) -> str:
        """What is passed on: the same trace, our span."""
        return f"{_OUR_VERSION}-{self.trace_id}-{self.span_id}-{self.flags}"
