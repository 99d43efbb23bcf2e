"""The `traceparent` header, which joins log lines and spans of a request across services."""

import re
import secrets
from dataclasses import dataclass, replace

__all__ = ["TRACE_HEADER", "TraceContext"]

TRACE_HEADER = "traceparent"

# https://www.w3.org/TR/trace-context/#traceparent-header: a later version may append fields; ff is no version.
_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_OUR_VERSION = "00"


@dataclass(frozen=True)
class TraceContext:
    """One span of a trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: str

    @classmethod
    def parse(cls, header: str) -> "TraceContext | None":
        """Read a header; None if it is malformed."""
        found = _HEADER.fullmatch(header)
        if found is None or (found[1] == _OUR_VERSION and found[5]):
            return None
        return cls(trace_id=found[2], span_id=found[3], flags=found[4])

    def child(self) -> "TraceContext":
        """Make a new span of the same trace."""
        return replace(self, span_id=secrets.token_hex(8))

    @property
    def header(self) -> str:
        """The value of the header."""
        return f"{_OUR_VERSION}-{self.trace_id}-{self.span_id}-{self.flags}"
