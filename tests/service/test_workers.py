"""The thread pool and its queue's limit."""

import asyncio
from threading import Event

import pytest

from service.errors import OverloadedError
from service.workers import Workers


def test_what_does_not_fit_the_queue_is_refused_and_a_place_that_is_freed_is_given_again() -> None:
    async def overload() -> None:
        workers = Workers(threads=1, max_waiting=1)
        gate = Event()
        running = [asyncio.create_task(workers.run(gate.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="1 requests waiting"):
            await workers.run(gate.is_set)
        gate.set()
        assert await asyncio.gather(*running) == [True, True]
        assert await workers.run(gate.is_set)
        workers.close()

    asyncio.run(overload())


def test_a_caller_that_goes_away_does_not_free_the_thread_it_uses() -> None:
    async def cancel() -> None:
        workers = Workers(threads=1, max_waiting=0)
        started, gate = Event(), Event()

        def work() -> None:
            started.set()
            gate.wait(10)

        task = asyncio.create_task(workers.run(work))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(OverloadedError):
            await workers.run(gate.is_set)
        gate.set()
        workers.close()

    asyncio.run(cancel())


def test_errors_come_through() -> None:
    async def fail() -> None:
        workers = Workers(threads=1, max_waiting=0)
        with pytest.raises(ValueError, match="invalid literal"):
            await workers.run(int, "one")
        workers.close()

    asyncio.run(fail())
