"""The thread pool, and the limit on requests in hand."""

import asyncio
from threading import Event

import pytest

from service.errors import OverloadedError
from service.workers import Workers


def test_a_request_without_a_place_is_refused_and_a_place_that_is_freed_is_given_again() -> None:
    workers = Workers(threads=1, max_waiting=1)
    with workers.admit():
        with workers.admit(), pytest.raises(OverloadedError, match="2 other requests"), workers.admit():
            pass
        with pytest.raises(ValueError, match="fault"), workers.admit():
            raise ValueError("fault")
        with workers.admit():
            pass
    workers.close()


def test_what_waits_for_a_caller_that_has_gone_is_dropped() -> None:
    async def cancel() -> None:
        workers = Workers(threads=1, max_waiting=1)
        started, gate, called = Event(), Event(), Event()

        def work() -> bool:
            started.set()
            return gate.wait(10)

        running = asyncio.create_task(workers.run(work))
        await asyncio.to_thread(started.wait, 10)
        waiting = asyncio.create_task(workers.run(called.set))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        assert await running
        assert await workers.run(called.is_set) is False
        workers.close()

    asyncio.run(cancel())


def test_errors_come_through() -> None:
    async def fail() -> None:
        workers = Workers(threads=1, max_waiting=0)
        with pytest.raises(ValueError, match="invalid literal"):
            await workers.run(int, "one")
        workers.close()

    asyncio.run(fail())
