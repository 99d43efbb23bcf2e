"""Clients that send one page after the other and wait for each answer. Know no model, and take little CPU."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle, islice

from benchmarks.exchange import OK, Body, Connection, Exchange

__all__ = ["closed_loop"]


def closed_loop(
    port: int, bodies: Sequence[Body], *, concurrency: int = 1, requests: int | None = None
) -> list[Exchange]:
    """Send ``requests`` of the bodies in turn (each once, if not said) over ``concurrency`` kept connections.

    Raises:
        RuntimeError: an answer that is not 200.
    """
    sent = list(islice(cycle(bodies), requests or len(bodies)))
    with ThreadPoolExecutor(concurrency) as clients:
        shares = [sent[first::concurrency] for first in range(concurrency)]
        return [one for some in clients.map(lambda share: _client(port, share), shares) for one in some]


def _client(port: int, bodies: Iterable[Body]) -> list[Exchange]:
    with closing(Connection(port)) as connection:
        return [_answered(connection.exchange(body)) for body in bodies]


def _answered(one: Exchange) -> Exchange:
    if one.status != OK:
        raise RuntimeError(f"{one.status}: {one.content.decode()}")
    return one
