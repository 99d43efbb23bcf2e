"""How the service logs: one line of ``key=value`` pairs per record, to stderr. Knows no request.

What a record is about is its message, a fixed word; the rest is in ``extra={"fields": {...}}``.
"""

import json
import logging
import logging.config
import re
from datetime import UTC, datetime

from service.settings import LogLevel

__all__ = ["LineFormatter", "configure_logging"]

_BARE = re.compile(r"[A-Za-z0-9_./:+{}-]+")


class LineFormatter(logging.Formatter):
    """``time=… level=… event=… key=value …``; a value that is not a plain word is quoted as in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one line, whatever its values hold."""
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_in_line(value)}" for key, value in facts.items())


def configure_logging(level: LogLevel) -> None:
    """Send every logger of the process to stderr through `LineFormatter`."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": LineFormatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {
                # It quotes bytes of the body that it cannot parse.
                "python_multipart": {"level": "CRITICAL"},
                # A client that asks for a WebSocket makes it advise the operator to install one.
                "uvicorn.error": {"filters": [lambda record: "pip install" not in record.getMessage()]},
            },
        }
    )


def _in_line(value: object) -> str:
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)
