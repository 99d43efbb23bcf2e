"""Whether anyone still waits for what a thread works on: said by whoever called, asked between the steps of long work.

Knows neither the threads nor the work.
"""

from collections.abc import Callable
from contextvars import ContextVar
from threading import Event
from typing import TypeVar

__all__ = ["CancelledWorkError", "check_cancelled", "run_cancellable"]

_T = TypeVar("_T")

_given_up: ContextVar[Event | None] = ContextVar("given_up", default=None)


class CancelledWorkError(Exception):
    """Nobody waits for this work any more; nobody reads this either."""


def run_cancellable(given_up: Event, work: Callable[[], _T]) -> _T:
    """Do work in this thread that may stop where it asks, once it is given up."""
    _given_up.set(given_up)
    return work()


def check_cancelled() -> None:
    """Go on only if the work of this thread is not given up; it never is where nobody can give it up.

    Raises:
        CancelledWorkError: it is.
    """
    given_up = _given_up.get()
    if given_up is not None and given_up.is_set():
        raise CancelledWorkError
