"""Log lines to stderr: ``time=… level=… event=… key=value``.

Values are our own words, numbers and hashes. Libraries that quote attributes or addresses do not log.
"""

import logging
import threading
import warnings
from datetime import UTC, datetime

__all__ = ["configure_logging", "log"]

_QUOTING = ("highdicom", "httpcore", "httpx", "pydicom", "pynetdicom")
_LOGGER = logging.getLogger("gateway")


def configure_logging() -> None:
    """Log to stderr from ``info`` on, and silence libraries that would quote a patient's data."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False
    for name in _QUOTING:
        library = logging.getLogger(name)
        library.addHandler(logging.NullHandler())
        library.propagate = False
    warnings.simplefilter("ignore")  # pydicom's quote values
    threading.excepthook = _note_failure


def _note_failure(failed: threading.ExceptHookArgs) -> None:
    """Say that a thread ended, without the values in its traceback; pynetdicom's do when connections break."""
    log("thread_failed", level=logging.WARNING, reason=failed.exc_type.__name__)


def log(event: str, *, level: int = logging.INFO, **facts: str | float) -> None:
    """Write one line; ``event`` is a fixed word."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    words = (f'{name}="{value}"' if " " in str(value) else f"{name}={value}" for name, value in facts.items())
    name = logging.getLevelName(level).lower()
    _LOGGER.log(level, " ".join((f"time={time} level={name} event={event}", *words)))
