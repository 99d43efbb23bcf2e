"""The same Idempotency-Key: the same answer, without new work, also when both come at once."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import NoReturn

import httpx
import numpy as np
import pytest

from model_registry.registry import Registry
from service.answers import Answers, Asked
from service.errors import IdempotencyConflictError
from service.idempotency import KeptAnswers, RepeatKey
from service.models.onnx import Probabilities
from service.telemetry.metrics import Metrics
from shared_preproc.errors import PreprocError, UndecodableImageError
from shared_preproc.tensor import Tensor
from tests import factories
from tests.service.scrape import Scrape
from tests.service.serving import file_form, problem, serving, settings_for, wait_until

PAGE, OTHER_PAGE = factories.page_jpeg(), factories.page_jpeg(seed=1)
KEY = RepeatKey(None, "a")


class CountingClassifier:
    """Counts the pages it is shown, each after its gate is open."""

    provider = "cpu"
    failure = None

    def __init__(self) -> None:
        self.pages = 0
        self.entered = Event()
        self.gate = Event()
        self.gate.set()

    def run(self, _: Tensor) -> Probabilities:
        self.pages += 1
        self.entered.set()
        assert self.gate.wait(10)
        return Probabilities(leads=np.full((1, 13, 4), 0.25, np.float32), pages=np.full((1, 4), 0.25, np.float32))


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


def test_a_repetition_gets_the_first_answer_without_new_work(models_dir: Path) -> None:
    classifier = CountingClassifier()
    with serving(settings_for(models_dir), lambda _: classifier) as client:
        first = client.post("/classify", content=PAGE, headers=key("a"))
        form = file_form(PAGE)
        again = client.post("/classify", content=form["content"], headers=form["headers"] | key("a"))
        assert (first.status_code, again.status_code, classifier.pages) == (200, 200, 1)
        assert again.content == first.content
        assert again.headers["x-request-id"] != first.headers["x-request-id"] == again.json()["request_id"]
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        client.post("/classify", content=PAGE, headers=key("b"))
        client.post("/classify", content=PAGE)
        assert classifier.pages == 3
        scrape = Scrape(client)
    assert (scrape.value("ecg_replays_total"), scrape.value("ecg_decisions_total")) == (1, 3)


def test_concurrent_repetitions_wait_for_the_first(models_dir: Path) -> None:
    classifier = CountingClassifier()
    classifier.gate.clear()
    settings = settings_for(models_dir, workers=2)
    with serving(settings, lambda _: classifier) as client, ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(client.post, "/classify", content=PAGE, headers=key("a")) for _ in range(8)]
        assert classifier.entered.wait(10)
        time.sleep(0.3)  # for the others to come; one that comes later still gets the same answer
        classifier.gate.set()
        answers = [one.result() for one in sent]
    assert classifier.pages == 1
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7


@pytest.mark.parametrize(("query", "page"), [("", OTHER_PAGE), ("?explain=true", PAGE), ("?model=other", PAGE)])
def test_the_same_key_for_something_else_is_a_conflict(client: httpx.Client, query: str, page: bytes) -> None:
    name = f"conflict{query}"
    first = client.post("/classify", content=PAGE, headers=key(name))
    problem(client.post(f"/classify{query}", content=page, headers=key(name)), 422, "idempotency_conflict")
    assert client.post("/classify", content=PAGE, headers=key(name)).content == first.content


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [(factories.blank_png(), 422, "not_an_ecg_page"), (b"no picture", 415, "unsupported_format")],
)
def test_a_refusal_of_the_page_is_kept_as_well(client: httpx.Client, bad: bytes, status: int, code: str) -> None:
    before = Scrape(client)
    first, again = (client.post("/classify", content=bad, headers=key(code)) for _ in range(2))
    problem(first, status, code)
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.content) == (status, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert Scrape(client).value("ecg_replays_total") == before.value("ecg_replays_total") + 1
    wait_until(lambda: refused(Scrape(client), code) == refused(before, code) + 2)


def refused(scrape: Scrape, code: str) -> float:
    return scrape.value("ecg_requests_total", route="/classify", code=code)


def test_a_kept_refusal_keeps_no_page(models_dir: Path) -> None:
    async def damaged() -> NoReturn:
        raise UndecodableImageError(found="noise", expected="a page", remedy="None.") from ValueError()

    async def use() -> PreprocError:
        answers = Answers(Metrics(), None, KeptAnswers(window_s=10, capacity=1))
        manifest = Registry(models_dir).load("tiny/1").manifest
        answer, _ = await answers.give(Asked("1", None, "a", "/"), manifest, b"", damaged)
        assert isinstance(answer.content, UndecodableImageError)
        return answer.content

    kept = asyncio.run(use())
    assert (kept.found, kept.__traceback__, kept.__cause__, kept.__context__) == ("noise", None, None, None)


@pytest.mark.parametrize("name", ["", "two words", "x" * 256, "naïve".encode("latin-1")])
def test_a_malformed_key_is_refused_and_not_repeated(client: httpx.Client, name: str | bytes) -> None:
    headers = [(b"Idempotency-Key", name if isinstance(name, bytes) else name.encode())]
    body = problem(client.post("/classify", content=PAGE, headers=headers), 422, "invalid_request")
    assert "two words" not in str(body)


def test_it_can_be_switched_off(models_dir: Path) -> None:
    with serving(settings_for(models_dir, idempotency_window_s=0)) as client:
        answers = [client.post("/classify", content=PAGE, headers=key("a")) for _ in range(2)]
    assert answers[0].json()["request_id"] != answers[1].json()["request_id"]


async def say(word: str) -> str:
    return word


async def fail() -> NoReturn:
    raise RuntimeError


def test_an_answer_is_forgotten_after_the_window() -> None:
    async def scenario() -> None:
        kept = KeptAnswers[str](window_s=0.05, capacity=10)
        assert await kept.once(KEY, "page", lambda: say("one")) == ("one", False)
        assert await kept.once(KEY, "page", lambda: say("two")) == ("one", True)
        await asyncio.sleep(0.1)
        assert await kept.once(KEY, "another page", lambda: say("three")) == ("three", False)

    asyncio.run(scenario())


def test_the_oldest_goes_first_and_nobody_gets_another_ones() -> None:
    async def scenario() -> None:
        kept = KeptAnswers[str](window_s=60, capacity=2)
        keys = [RepeatKey(owner, "same") for owner in (None, "lab", "ward")]
        for number, key in enumerate(keys):
            assert await kept.once(key, "page", lambda word=str(number): say(word)) == (str(number), False)  # type: ignore[misc]
        assert await kept.once(keys[2], "page", lambda: say("new")) == ("2", True)
        assert await kept.once(keys[1], "page", lambda: say("new")) == ("1", True)
        assert await kept.once(keys[0], "page", lambda: say("new")) == ("new", False)

    asyncio.run(scenario())


def test_a_failure_is_not_kept() -> None:
    async def scenario() -> None:
        kept = KeptAnswers[str](window_s=60, capacity=2)
        with pytest.raises(RuntimeError):
            await kept.once(KEY, "page", fail)
        assert await kept.once(KEY, "page", lambda: say("one")) == ("one", False)

    asyncio.run(scenario())


@pytest.mark.parametrize("cancelled", [True, False])
def test_who_waits_takes_over_when_the_first_does_not_answer(cancelled: bool) -> None:
    async def scenario() -> None:
        kept = KeptAnswers[str](window_s=60, capacity=2)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def break_off() -> NoReturn:
            begun.set()
            await go_on.wait()
            raise RuntimeError

        first = asyncio.create_task(kept.once(KEY, "page", break_off))
        await begun.wait()
        waiting = [asyncio.create_task(kept.once(KEY, "page", lambda: say("one"))) for _ in range(3)]
        with pytest.raises(IdempotencyConflictError):
            await kept.once(KEY, "another page", lambda: say("two"))
        if cancelled:
            first.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError if cancelled else RuntimeError):
            await first
        assert sorted(await asyncio.gather(*waiting)) == [("one", False), ("one", True), ("one", True)]

    asyncio.run(scenario())
