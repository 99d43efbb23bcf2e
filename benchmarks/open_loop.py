"""Requests at a constant rate, whatever becomes of those before them. Knows no model.

A client that waits for its answer before it sends again stops asking just when the service is slow, and so hides what
others would have met ("coordinated omission", Gil Tene). Here each request has a time at which it is due, and its
latency counts from then, even if it could not be sent at once.
"""

import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.exchange import OK, Body, Connection, Exchange

__all__ = ["NO_ANSWER", "Arrival", "Load", "open_loop"]

NO_ANSWER = 0
"""Counted in the place of a status where a connection broke."""
MOST_REQUESTS = 100_000
_CONNECTIONS = 256
"""More than ever wait at a service with bounded queues; what is due while all are in use waits, and its clock runs."""
_KEPT_S = 4.0
"""A server may close a connection that is idle: uvicorn does after 5 s, unless it is told otherwise."""
_LEAD_S = 0.05


@dataclass(frozen=True)
class Arrival:
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

    arrivals: Sequence[Arrival]
    duration_s: float
    cpu_s: float
    """That this process spent on sending them."""

    @classmethod
    def of_exchanges(cls, exchanges: Sequence[Exchange], duration_s: float, cpu_s: float) -> "Load":
        """Requests of clients that waited for each answer, as if each had been due when it was sent."""
        return cls([Arrival(0.0, 0.0, one.latency_ms / 1000, one.status) for one in exchanges], duration_s, cpu_s)

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
    clients, before_s = _Clients(port), time.process_time()
    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        futures = []
        for number in range(count):
            due_s = number / rate_hz
            time.sleep(max(0.0, due_s - clients.now_s))
            futures.append(threads.submit(clients.send, bodies[number % len(bodies)], due_s))
        arrivals = [future.result() for future in futures]
    clients.close()
    return Load(arrivals, duration_s, time.process_time() - before_s)


class _Clients:
    """Kept connections, the one that was used last first, and a clock."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._start_s = time.perf_counter() + _LEAD_S
        self._idle: deque[tuple[Connection, float]] = deque()

    @property
    def now_s(self) -> float:
        return time.perf_counter() - self._start_s

    def send(self, body: Body, due_s: float) -> Arrival:
        sent_s, connection = self.now_s, self._connection()
        try:
            status = connection.exchange(body).status
        except OSError:
            status = NO_ANSWER
        answered_s = self.now_s
        self._idle.append((connection, answered_s))
        return Arrival(due_s, sent_s, answered_s, status)

    def close(self) -> None:
        for connection, _ in self._idle:
            connection.close()

    def _connection(self) -> Connection:
        try:
            connection, since_s = self._idle.pop()
        except IndexError:
            return Connection(self._port)
        if self.now_s - since_s > _KEPT_S:
            connection.close()  # its next request opens it again
        return connection
