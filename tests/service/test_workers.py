"""The thread pool, the limit on what waits for it, and when it is worth trying again."""

import asyncio
import time
from collections.abc import Coroutine
from threading import Event
from typing import Any

import pytest

from service.errors import OverloadedError
from service.workers import CancelledWorkError, Workers, check_cancelled


def run_on(workers: Workers, use: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        try:
            await use
        finally:
            workers.close()

    asyncio.run(run())


def test_full_queue_refuses_until_a_place_is_free() -> None:
    workers, gate = Workers(threads=1, max_waiting=1), Event()

    async def use() -> None:
        calls = [asyncio.create_task(workers.run(gate.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (workers.working, workers.waiting) == (1, 1)
        with pytest.raises(OverloadedError, match="2 other requests"):
            await workers.run(gate.is_set)
        gate.set()
        await asyncio.gather(*calls)
        assert await workers.run(gate.is_set)

    run_on(workers, use())


def test_cancelled_work_in_the_queue_releases_its_data() -> None:
    workers, started, gate, called = Workers(threads=1, max_waiting=1), Event(), Event(), Event()

    def work() -> bool:
        started.set()
        return gate.wait(10)

    async def use() -> None:
        running = asyncio.create_task(workers.run(work))
        await asyncio.to_thread(started.wait, 10)
        waiting = asyncio.create_task(workers.run(called.set))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert workers.waiting == 0
        assert workers._pool._work_queue.empty()
        gate.set()
        assert await running
        assert await workers.run(called.is_set) is False

    run_on(workers, use())


def test_a_thread_whose_caller_has_gone_is_not_free() -> None:
    workers, started, gate = Workers(threads=1, max_waiting=0), Event(), Event()

    def work() -> bool:
        started.set()
        return gate.wait(10)

    async def use() -> None:
        running = asyncio.create_task(workers.run(work))
        await asyncio.to_thread(started.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(OverloadedError):
            workers.check_room()
        gate.set()
        while workers.working:  # noqa: ASYNC110 - nothing tells it but looking
            await asyncio.sleep(0.001)
        workers.check_room()

    run_on(workers, use())


def test_when_to_try_again_follows_the_queue() -> None:
    workers, gate = Workers(threads=2, max_waiting=20), Event()

    async def use() -> None:
        assert workers.retry_after_s == 1
        await workers.run(time.sleep, 0.5)
        calls = [asyncio.create_task(workers.run(gate.wait, 10)) for _ in range(13)]
        await asyncio.sleep(0)
        assert workers.waiting == 11
        assert workers.retry_after_s == 4  # 0.5 s x 12 / 2 threads, a little more, rounded up
        workers._mean_s = 1000.0
        assert workers.retry_after_s == 60
        gate.set()
        await asyncio.gather(*calls)

    run_on(workers, use())


def test_the_end_gives_up_what_has_begun() -> None:
    workers, begun, given_up = Workers(threads=1, max_waiting=0), Event(), Event()

    def work() -> None:
        begun.set()
        try:
            while True:
                check_cancelled()
                time.sleep(0.01)
        except CancelledWorkError:
            given_up.set()

    async def use() -> None:
        call = asyncio.create_task(workers.run(work))
        await asyncio.to_thread(begun.wait, 10)
        workers.close()  # with no caller that was cancelled before
        await call

    asyncio.run(use())
    assert given_up.is_set()


def test_errors_come_through() -> None:
    workers = Workers(threads=1, max_waiting=0)

    async def use() -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            await workers.run(int, "one")
        assert await workers.run(int, "1") == 1

    run_on(workers, use())
