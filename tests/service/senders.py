"""Clients that send one page after the other without a pause, each over a connection of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import httpx

from tests.factories import page_jpeg
from tests.service.serving import TIMEOUT_S

__all__ = ["CLIENTS", "sending"]

CLIENTS = 3


@contextmanager
def sending(url: httpx.URL) -> Iterator[list[httpx.Response]]:
    """What they are answered, complete after the block; that one is not answered at all fails it."""
    answers: list[httpx.Response] = []
    stop = Event()

    def send() -> None:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            while not stop.is_set():
                answers.append(client.post("/classify", content=page_jpeg()))

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(send) for _ in range(CLIENTS)]
        try:
            yield answers
        finally:
            stop.set()
        for one in clients:
            one.result()
