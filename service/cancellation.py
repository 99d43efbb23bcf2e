"""Cooperative cancellation for work that runs in threads."""

from collections.abc import Callable
from contextvars import ContextVar
from threading import Event
from typing import TypeVar

__all__ = ["CancelledWorkError", "check_cancelled", "run_cancellable"]

_T = TypeVar("_T")

_given_up: ContextVar[Event | None] = ContextVar("given_up", default=None)


class CancelledWorkError(Exception):
    """The client disconnected, or the deadline passed."""


def run_cancellable(given_up: Event, work: Callable[[], _T]) -> _T:
    """Do ``work`` in this thread; `check_cancelled` stops it once ``given_up`` is set."""
    _given_up.set(given_up)
    return work()


def check_cancelled() -> None:
    """Stop here if the work of this thread was cancelled.

    Raises:
        CancelledWorkError: it was.
    """
    given_up = _given_up.get()
    if given_up is not None and given_up.is_set():
        raise CancelledWorkError
