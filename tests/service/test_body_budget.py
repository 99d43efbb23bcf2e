"""Room for bodies that are arriving: how much there is, and who has to make it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import pytest

from service import admission as module
from service.admission import BodyBudget, Upload
from service.errors import BodyTimeoutError, OverloadedError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_TIME_S", 0.1)


def with_room(use: Callable[[BodyBudget], Coroutine[Any, Any, None]], *, places: int = 2, max_bytes: int = 100) -> None:
    async def run() -> None:
        budget = BodyBudget(places=places, max_bytes=max_bytes, timeout_s=10)
        await use(budget)
        assert (budget.arriving, budget._held_bytes) == (0, 0)

    asyncio.run(run())


async def receive(arrival: Upload) -> str:
    """What becomes of a body that never ends."""
    try:
        async with arrival.receiving():
            await asyncio.Event().wait()
    except BodyTimeoutError:
        return "given up"
    raise AssertionError


def test_bodies_that_have_just_begun_are_not_given_up() -> None:
    async def use(budget: BodyBudget) -> None:
        refused = pytest.raises(OverloadedError, match="2 other uploads")
        with budget.arrival(), budget.arrival(), refused as refusal, budget.arrival():
            pass
        assert refusal.value.retry_after_s == 1

    with_room(use)


def test_the_oldest_makes_room_and_only_that() -> None:
    async def use(budget: BodyBudget) -> None:
        with ExitStack() as stack:
            bodies = [asyncio.create_task(receive(stack.enter_context(budget.arrival()))) for _ in range(2)]
            await asyncio.sleep(0.15)
            with budget.arrival():
                assert await asyncio.wait_for(bodies[0], 1) == "given up"
                await asyncio.sleep(0.01)
                assert not bodies[1].done()
            bodies[1].cancel()

    with_room(use)


def test_a_body_that_is_there_takes_no_place_but_its_bytes() -> None:
    async def use(budget: BodyBudget) -> None:
        with budget.arrival() as arrival:
            async with arrival.receiving():
                arrival.count(60)
            with budget.arrival() as other, budget.arrival():
                other.count(40)
                with pytest.raises(OverloadedError, match="bytes"):
                    other.count(1)
        with budget.arrival() as arrival:
            arrival.count(100)

    with_room(use)


def test_bytes_are_taken_from_the_oldest_that_still_arrives() -> None:
    async def use(budget: BodyBudget) -> None:
        with budget.arrival() as stalled, budget.arrival() as honest:
            receiving = asyncio.create_task(receive(stalled))
            stalled.count(60)
            await asyncio.sleep(0.15)
            honest.count(60)
            assert await asyncio.wait_for(receiving, 1) == "given up"
            assert budget._held_bytes == 60

    with_room(use)


@pytest.mark.parametrize(("expected_bytes", "enough"), [(60, True), (61, False), (0, True)])
def test_body_that_cannot_fit_evicts_no_other(expected_bytes: int, enough: bool) -> None:
    async def use(budget: BodyBudget) -> None:
        with ExitStack() as stack:
            arrivals = [stack.enter_context(budget.arrival()) for _ in range(5)]
            bodies = [asyncio.create_task(receive(one)) for one in arrivals]
            await asyncio.sleep(0.15)
            with waiting_bytes(budget, 40):
                for one in arrivals:
                    one.count(10)
                newcomer = stack.enter_context(budget.arrival())
                newcomer.expected_bytes = expected_bytes
                newcomer.count(10)
                refusal = nullcontext() if enough else pytest.raises(OverloadedError, match="bytes")
                with refusal:
                    newcomer.count(10)
                await asyncio.sleep(0.05)
                assert [body.done() for body in bodies] == [enough] + [False] * 4
            for body in bodies:
                body.cancel()

    with_room(use, places=9)


@contextmanager
def waiting_bytes(budget: BodyBudget, size_bytes: int) -> Iterator[None]:
    """A body that is there and waits for its turn: it cannot be given up."""
    with budget.arrival() as arrival:
        arrival.count(size_bytes)
        budget.leave(arrival)
        yield


def test_at_the_end_all_have_to_hurry() -> None:
    async def use(budget: BodyBudget) -> None:
        with budget.arrival() as arriving:
            receiving = asyncio.create_task(receive(arriving))
            await asyncio.sleep(0)
            budget.shorten_timeout(0.05)
            assert await asyncio.wait_for(receiving, 1) == "given up"
        with budget.arrival() as late:
            assert await asyncio.wait_for(receive(late), 1) == "given up"

    with_room(use)
