"""Keep answers, so that a repeated request gets the same one without new work."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from service.errors import IdempotencyConflictError

__all__ = ["KeptAnswers", "RepeatKey"]

_T = TypeVar("_T")


class RepeatKey(NamedTuple):
    """An Idempotency-Key of one caller: callers never share an answer."""

    owner: str | None
    """None without authentication."""
    key: str


@dataclass
class _Kept(Generic[_T]):
    fingerprint: str
    done: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[_T] = field(default_factory=list)
    """At most one."""
    expires_s: float = float("inf")


class KeptAnswers(Generic[_T]):
    """Keep up to ``capacity`` answers, each for ``window_s`` seconds; 0 keeps none.

    Not thread-safe: for the event loop only.
    """

    def __init__(self, *, window_s: float, capacity: int = 1000) -> None:
        self._window_s = window_s
        self._capacity = capacity
        self._kept: OrderedDict[RepeatKey, _Kept[_T]] = OrderedDict()

    async def once(self, key: RepeatKey, fingerprint: str, work: Callable[[], Awaitable[_T]]) -> tuple[_T, bool]:
        """Return the answer of ``work``, and whether another request did the work.

        If ``work`` raises, the next request with this key tries again.

        Raises:
            IdempotencyConflictError: the key has another ``fingerprint``.
        """
        if not self._window_s:
            return await work(), False
        while kept := self._current(key):
            if kept.fingerprint != fingerprint:
                raise IdempotencyConflictError
            await kept.done.wait()
            if kept.answers:
                return kept.answers[0], True
        return await self._first(key, _Kept(fingerprint), work), False

    def _current(self, key: RepeatKey) -> _Kept[_T] | None:
        kept = self._kept.get(key)
        return None if kept is None or kept.expires_s <= _now_s() else kept

    async def _first(self, key: RepeatKey, kept: _Kept[_T], work: Callable[[], Awaitable[_T]]) -> _T:
        self._kept[key] = kept
        try:
            answer = await work()
        except BaseException:
            del self._kept[key]
            raise
        finally:
            kept.done.set()  # waiting requests run after this function
        kept.answers.append(answer)
        kept.expires_s = _now_s() + self._window_s
        self._kept.move_to_end(key)  # in the order of expiry
        self._forget_oldest()
        return answer

    def _forget_oldest(self) -> None:
        # The work queue limits unfinished ones.
        done = [key for key, kept in self._kept.items() if kept.answers]
        expired = sum(self._kept[key].expires_s <= _now_s() for key in done)
        for key in done[: max(expired, len(done) - self._capacity)]:
            del self._kept[key]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
