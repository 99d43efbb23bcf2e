"""Log one line a record to stderr: a fixed word as the message, values in ``extra={"fields": {...}}``."""

import json
import logging
import logging.config
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from service.settings import LogFormat, LogLevel

__all__ = ["JsonFormatter", "LineFormatter", "configure_logging"]

_BARE = re.compile(r"[A-Za-z0-9_./:+{}-]+")


class LineFormatter(logging.Formatter):
    """Write ``time=… level=… event=… key=value …``; values other than plain words are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        facts = _facts(self, record)
        words = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in facts.values()]
        if not (all(words) and _BARE.fullmatch("".join(words))):  # one match: few lines need quotes
            words = [word if _BARE.fullmatch(word) else json.dumps(word) for word in words]
        return " ".join(map("=".join, zip(facts, words, strict=True)))


class JsonFormatter(logging.Formatter):
    """Write one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        facts = _facts(self, record)
        return json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in facts.items()})


_FORMATTERS: Mapping[LogFormat, type[logging.Formatter]] = {"line": LineFormatter, "json": JsonFormatter}


def configure_logging(level: LogLevel, log_format: LogFormat) -> None:
    """Send every logger of the process to stderr."""
    # Slow and unused: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"chosen": {"()": _FORMATTERS[log_format]}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {
                # Quotes bytes of bodies.
                "python_multipart": {"level": "CRITICAL"},
                # Repeats for each batch a failure that `service.telemetry.spans` logs once.
                "opentelemetry": {"level": "CRITICAL"},
                # Quotes EXIF tags.
                "PIL": {"level": "CRITICAL"},
            },
        }
    )


def _facts(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    facts = {
        "time": f"{_second(int(record.created))}.{int(record.msecs):03}+00:00",
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
        **getattr(record, "fields", {}),
    }
    if record.exc_info:
        facts["traceback"] = formatter.formatException(record.exc_info)
    return facts


@lru_cache(maxsize=1)  # the slowest part of a line
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).replace(tzinfo=None).isoformat()
