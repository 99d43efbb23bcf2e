"""Requests at a constant rate, whatever becomes of those before them.

A client that waits for its answer before it sends again stops asking just when the service is slow, and so hides what
others would have met ("coordinated omission", Gil Tene). Here each request has a time at which it is due, and its
latency counts from then, even if it could not be sent at once.

The generator shares the cores with what it measures: one thread looks after all connections, and waits for all at once
with `select.epoll` itself. Between two requests the service takes the caches, so that every layer costs several times
what it does in a tight loop.
"""

import select
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf
from select import EPOLLIN, EPOLLOUT

import numpy as np

from benchmarks.exchange import OK, TIMEOUT_S, Body, Exchange
from benchmarks.nonblocking_client import NonblockingClient

__all__ = ["NO_ANSWER", "Load", "Upload", "open_loop"]

NO_ANSWER = 0
"""Counted in the place of a status where a connection broke."""
MOST_REQUESTS = 100_000
_CONNECTIONS = 256
"""More than ever wait at a service with bounded queues; what is due while all are in use waits, and its clock runs."""
_KEPT_S = 4.0
"""A server may close a connection that is idle: uvicorn does after 5 s, unless it is told otherwise."""
_LEAD_S = 0.05


@dataclass(frozen=True)
class Upload:
    """One request, times in seconds since the first was due."""

    due_s: float
    sent_s: float
    answered_s: float
    status: int

    @property
    def latency_ms(self) -> float:
        """From when it was due to the last byte of its answer."""
        return (self.answered_s - self.due_s) * 1000


@dataclass(frozen=True)
class Load:
    """What became of all requests of one run."""

    arrivals: Sequence[Upload]
    duration_s: float
    cpu_s: float
    """That this process spent on sending them."""

    @classmethod
    def of_exchanges(cls, exchanges: Sequence[Exchange], duration_s: float, cpu_s: float) -> "Load":
        """Requests of clients that waited for each answer, as if each had been due when it was sent."""
        return cls([Upload(0.0, 0.0, one.latency_ms / 1000, one.status) for one in exchanges], duration_s, cpu_s)

    @property
    def statuses(self) -> Counter[int]:
        """How many were answered with what."""
        return Counter(one.status for one in self.arrivals)

    @property
    def goodput_hz(self) -> float:
        """Answers of 200 a second, those left out that came after the last request was due."""
        return sum(one.status == OK and one.answered_s <= self.duration_s for one in self.arrivals) / self.duration_s

    def latency_ms(self, percent: float, status: int = OK) -> float:
        """The percentile of the latencies of one status; not a number where there was none."""
        latencies = [one.latency_ms for one in self.arrivals if one.status == status]
        return float(np.percentile(latencies, percent)) if latencies else float("nan")

    @property
    def lag_ms(self) -> float:
        """The 99th percentile of how late requests were sent: what this generator was short of, CPU or connections."""
        return float(np.percentile([one.sent_s - one.due_s for one in self.arrivals], 99)) * 1000


def open_loop(port: int, bodies: Sequence[Body], *, rate_hz: float, duration_s: float) -> Load:
    """Send the bodies in turn, ``rate_hz`` a second for ``duration_s``, and wait for the last answer.

    Raises:
        ValueError: that would be more requests than one run may have.
    """
    count = max(1, round(rate_hz * duration_s))
    if count > MOST_REQUESTS:
        raise ValueError(f"{count} requests in one run, expected at most {MOST_REQUESTS}: lower the rate or the time")
    due = deque((number / rate_hz, bodies[number % len(bodies)].request) for number in range(count))
    before_s = time.process_time()
    with closing(_Clients(port)) as clients:
        arrivals = clients.arrivals(due)
    return Load(arrivals, duration_s, time.process_time() - before_s)


class _Clients:
    """Kept connections, and a clock."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._all: dict[int, NonblockingClient] = {}
        """By file descriptor."""
        self._busy: dict[NonblockingClient, None] = {}
        """The one that began first is the first. Some have their answer, and more to send."""
        self._idle: dict[NonblockingClient, float] = {}
        """Since when; the one that was used last is the last."""
        self._done: list[tuple[float, float, float, int]] = []
        self._start_s = time.perf_counter() + _LEAD_S

    def arrivals(self, due: deque[tuple[float, bytes]]) -> list[Upload]:
        """Send each request when it is due, and wait until the last is answered or given up."""
        count, now_s = len(due), self._now_s()
        while len(self._done) < count:
            wait_s = max(0.0, self._next_s(due) - now_s)
            # epoll's own wait is in whole milliseconds, rounded up: requests would be late by that.
            select.select([self._epoll], (), (), wait_s if wait_s < inf else None)
            events = self._epoll.poll(0)
            now_s = self._now_s()
            for number, event in events:
                self._go_on(self._all[number], event, now_s)
            while due and due[0][0] <= now_s and len(self._busy) < _CONNECTIONS:
                self._begin(*due.popleft(), now_s)
                now_s = self._now_s()
            while not events and self._limit_s() <= now_s:
                self._drop(next(iter(self._busy)), now_s)
        return [Upload(*one) for one in sorted(self._done)]

    def close(self) -> None:
        for client in self._all.values():
            client.close()
        self._epoll.close()

    def _now_s(self) -> float:
        return time.perf_counter() - self._start_s

    def _next_s(self, due: deque[tuple[float, bytes]]) -> float:
        """When there is something to do, whatever the connections tell."""
        limit_s = self._limit_s()
        return min(due[0][0], limit_s) if due and len(self._busy) < _CONNECTIONS else limit_s

    def _limit_s(self) -> float:
        """When the first of the busy is given up."""
        return next(iter(self._busy)).sent_s + TIMEOUT_S if self._busy else inf

    def _begin(self, due_s: float, request: bytes, now_s: float) -> None:
        client = self._client(now_s)
        self._busy[client] = None
        try:
            client.begin(request, due_s, now_s)
        except OSError:
            self._drop(client, self._now_s())
        else:
            if client.unsent:
                self._epoll.modify(client, EPOLLIN | EPOLLOUT)

    def _client(self, now_s: float) -> NonblockingClient:
        while self._idle:
            client, since_s = self._idle.popitem()
            if now_s - since_s <= _KEPT_S:
                return client
            self._drop(client, now_s)
        client = NonblockingClient(self._port)
        self._epoll.register(client, EPOLLIN)
        self._all[client.fileno()] = client
        return client

    def _go_on(self, client: NonblockingClient, event: int, now_s: float) -> None:
        try:
            if event & ~EPOLLOUT:  # first: a server may answer and close before it has all of a request
                self._receive(client, now_s)
            if event & EPOLLOUT:
                client.send()
        except OSError:
            self._drop(client, now_s)
            return
        if event & EPOLLOUT and not client.unsent:
            self._epoll.modify(client, EPOLLIN)
        if client.answer is not None and client.answer.closes:
            self._drop(client, now_s)
        elif client.answer is not None and not client.unsent:
            self._busy.pop(client, None)
            self._idle[client] = now_s

    def _receive(self, client: NonblockingClient, now_s: float) -> None:
        waited = client.answer is None
        client.receive()
        if waited and client.answer is not None:
            self._done.append((client.due_s, client.sent_s, now_s, client.answer.status))

    def _drop(self, client: NonblockingClient, now_s: float) -> None:
        if client.answer is None:
            self._done.append((client.due_s, client.sent_s, now_s, NO_ANSWER))
        self._busy.pop(client, None)
        self._idle.pop(client, None)
        del self._all[client.fileno()]
        self._epoll.unregister(client)
        client.close()
