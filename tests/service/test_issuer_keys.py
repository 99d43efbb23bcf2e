"""The issuer's keys: found, kept, fetched anew, and never more often than they should be."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from service.auth import oidc as module
from service.auth.oidc import KEEP_S, REFRESH_S, RETRY_S, IssuerKeys, Tokens, fetch_keys, is_secure_url
from service.errors import IssuerUnavailableError, UnauthorizedError
from tests.service.issuer import AUDIENCE, CONFIGURATION, JWKS, Issuer, issuing

NEXT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NEXT: dict[str, Any] = {"key": NEXT_KEY, "headers": {"kid": "rsa-2"}}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tokens_of(issuer: Issuer, clock: Clock) -> Tokens:
    keys = IssuerKeys(partial(fetch_keys, issuer.url), clock)
    return Tokens(keys, issuer=issuer.url, audience=AUDIENCE, required_scope=None)


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    def run(issuer: Issuer, clock: Clock) -> None:
        asyncio.run(asyncio.wait_for(test(issuer, clock), 20))

    run.__name__ = test.__name__
    return run


async def refused(tokens: Tokens, token: str, error: type[Exception] = UnauthorizedError) -> None:
    with pytest.raises(error):
        await tokens.caller_id(token)


@in_a_loop
async def test_keys_are_fetched_with_the_first_token_and_kept(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    assert issuer.requests == [], "a service starts while its issuer does not answer"
    for _ in range(3):
        await tokens.caller_id(issuer.token())
    assert issuer.requests == [CONFIGURATION, JWKS]


@in_a_loop
async def test_many_at_once_share_one_fetch(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    callers = await asyncio.gather(*(tokens.caller_id(issuer.token(sub=str(number))) for number in range(20)))
    assert len(set(callers)) == 20
    assert len(issuer.requests) == 2


@in_a_loop
async def test_a_new_key_is_fetched_when_a_token_names_it(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.caller_id(issuer.token())
    issuer.publish(("rsa-1", issuer.rsa), ("rsa-2", NEXT_KEY))
    clock.now += RETRY_S
    await tokens.caller_id(issuer.token(**NEXT))
    await tokens.caller_id(issuer.token())


@in_a_loop
async def test_unknown_keys_cause_no_call_each_time(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    for number in range(20):
        await refused(tokens, issuer.token(headers={"kid": f"guess-{number}"}))
    assert len(issuer.requests) == 2
    clock.now += RETRY_S
    await refused(tokens, issuer.token(headers={"kid": "guess"}))
    assert len(issuer.requests) == 4


def test_withdrawn_issuer_key_stops_working(issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.2)

    async def use() -> None:
        tokens = tokens_of(issuer, clock)
        await tokens.caller_id(issuer.token())
        issuer.publish(("rsa-2", NEXT_KEY))
        fetches = len(issuer.requests)
        while len(issuer.requests) < fetches + 4:  # noqa: ASYNC110 - the second is begun when the first is through
            await asyncio.sleep(0.01)
        await refused(tokens, issuer.token())
        await tokens.caller_id(issuer.token(**NEXT))

    asyncio.run(asyncio.wait_for(use(), 20))


def test_tokens_with_a_known_key_never_wait_for_the_issuer(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    known: dict[str, Any] = {"a": object()}
    fetching, gate = Event(), Event()
    fetches = []

    def fetch() -> dict[str, Any]:
        fetches.append(1)
        if len(fetches) == 2:
            fetching.set()
            assert gate.wait(10)
            raise OSError
        return known

    async def use() -> None:
        keys = IssuerKeys(fetch, clock)
        await keys.find("a")
        assert await asyncio.to_thread(fetching.wait, 10)
        clock.now += REFRESH_S + 1
        assert await asyncio.wait_for(keys.find("a"), 1) is known["a"], "while the issuer keeps the service waiting"
        gate.set()
        while len(fetches) < 4:  # noqa: ASYNC110 - it failed, and is tried again by itself
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(use(), 20))


def test_silent_issuer_keeps_no_token_waiting_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_S", 0.3)
    gate, fetches = Event(), []

    def fetch() -> dict[str, Any]:
        fetches.append(1)
        assert gate.wait(10)
        return {}

    async def use() -> None:
        keys = IssuerKeys(fetch)
        started = time.monotonic()
        for _ in range(20):
            with pytest.raises(IssuerUnavailableError):
                await keys.find("a")
        assert 0.3 <= time.monotonic() - started < 3, "the first waits, the others find its time used up"
        assert len(fetches) == 1
        gate.set()

    asyncio.run(use())


def test_a_document_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                for _ in range(100):
                    connection.sendall(b" ")
                    time.sleep(0.1)

        thread = Thread(target=trickle)
        thread.start()
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            fetch_keys(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert time.monotonic() - started < 5
        thread.join()


@in_a_loop
async def test_known_keys_outlast_a_day_of_silence(issuer: Issuer, clock: Clock) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.caller_id(issuer.token())
    documents, issuer.documents = issuer.documents, {}
    clock.now += KEEP_S
    await tokens.caller_id(issuer.token())
    clock.now += 1
    await refused(tokens, issuer.token(), IssuerUnavailableError)
    issuer.documents = documents
    clock.now += RETRY_S
    await tokens.caller_id(issuer.token())


@pytest.mark.parametrize(
    "documents",
    [
        {},
        {CONFIGURATION: []},
        {CONFIGURATION: {"issuer": "https://another", "jwks_uri": "{url}/keys"}},
        {CONFIGURATION: {"issuer": "{url}"}},
        {CONFIGURATION: {"issuer": "{url}", "jwks_uri": "file:///etc/hostname"}},
        {CONFIGURATION: {"issuer": "{url}", "jwks_uri": "http://192.0.2.1/keys"}},
        {CONFIGURATION: "{url}/keys"},
        {JWKS: "{url}/moved"},
        {JWKS: None},
        {JWKS: []},
        {JWKS: {"keys": []}},
        {JWKS: {"keys": "x"}},
        {JWKS: {"keys": [{"kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0"}]}},
        {JWKS: {"padding": "x" * 2**20}},
    ],
)
def test_whatever_the_issuer_sends_instead(issuer: Issuer, clock: Clock, documents: dict[str, Any]) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        return value.format(url=issuer.url) if isinstance(value, str) else value

    issuer.documents["/moved"] = issuer.documents[JWKS]
    issuer.documents = (
        issuer.documents | {name: filled(value) for name, value in documents.items()} if documents else {}
    )
    tokens = tokens_of(issuer, clock)
    expected = UnauthorizedError if "oct" in str(documents) else IssuerUnavailableError
    asyncio.run(refused(tokens, issuer.token(), expected))


def test_only_asymmetric_signature_keys_are_taken(issuer: Issuer) -> None:
    assert fetch_keys(issuer.url).keys() == fetch_keys("", issuer.url + JWKS).keys() == {"rsa-1", "ec-1"}


def test_an_issuer_cannot_make_the_service_read_its_own_files(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(json.dumps(issuer.documents[JWKS]))
    issuer.documents[CONFIGURATION]["jwks_uri"] = file.as_uri()
    with pytest.raises(ValueError, match="not behind https"):
        fetch_keys(issuer.url)


def test_the_event_loop_goes_on_while_keys_are_fetched(clock: Clock) -> None:
    answered = Event()

    def slow_fetch() -> dict[str, Any]:
        assert answered.wait(10)
        return {}

    async def ask() -> None:
        keys = IssuerKeys(slow_fetch, clock)
        waiting, leaving = asyncio.create_task(keys.find("a")), asyncio.create_task(keys.find("a"))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        answered.set()
        assert await waiting is None, "the client that left did not take the fetch with it"

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://login.example.org/hospital", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://login.example.org", False),
        ("http://localhost.example.org", False),
        ("file:///etc/passwd", False),
        ("https:///nowhere", False),
        ("https://[", False),
        ("login.example.org", False),
    ],
)
def test_keys_come_from_where_no_one_on_the_way_can_change_them(url: str, secure: bool) -> None:
    assert is_secure_url(url) == secure
