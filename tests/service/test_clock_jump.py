"""A wall clock that is set a day ahead or back while the service works: only what is dated by it follows it."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from service.auth.keys import new_key
from tests.factories import page_jpeg
from tests.service.audits import answers, audit_files, audit_lines
from tests.service.issuer import AUDIENCE, Issuer, issuing
from tests.service.process import Process, environment, running
from tests.service.scrape import Scrape
from tests.service.senders import sending
from tests.service.serving import problem, wait_until
from tests.service.wall_clock import WallClock

PAGE = page_jpeg()
DAY_S = 86_400
RATE = 20
KEY, LINE = new_key("pacs")


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path / "clock")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


def jump(clock: WallClock, process: Process, ahead_s: int) -> None:
    """Set the clock, and wait until the service's answers bear the new date."""
    clock.set(ahead_s)
    wait_until(lambda: WallClock.is_ahead(dated(process.client.get("/health/live")), ahead_s))


def dated(response: httpx.Response) -> datetime:
    return parsedate_to_datetime(response.headers["date"])


@pytest.mark.parametrize("ahead_s", [-DAY_S, pytest.param(DAY_S, marks=pytest.mark.campaign)])
def test_pages_deadlines_and_the_audit_do_not_mind(
    ahead_s: int, clock: WallClock, models_dir: Path, tmp_path: Path
) -> None:
    settings = {"ECG_AUDIT_DIR": str(tmp_path / "audit")}
    with running(environment(models_dir, **settings), clock.arguments) as process:
        key = {"Idempotency-Key": "before", "X-Request-Deadline-Ms": "20000"}
        first = process.client.post("/classify", content=PAGE, headers=key)
        with sending(process.url) as answered:
            for ahead in (ahead_s, 0, ahead_s):
                seen = len(answered)
                wait_until(lambda seen=seen: len(answered) > seen + 10)  # type: ignore[misc]
                jump(clock, process, ahead)
        again = process.client.post("/classify", content=PAGE, headers=key)
        given = [first, *answered, again]
        assert {answer.status_code for answer in given} == {200}
        assert (again.headers.get("idempotency-replayed"), again.content) == ("true", first.content)
        assert Scrape(process.client).value("ecg_request_duration_seconds_sum") < 600
        wait_until(lambda: len(answers(tmp_path / "audit")) == len(given))
    told = [datetime.fromisoformat(record["time"]) for record in answers(tmp_path / "audit")]
    assert {WallClock.is_ahead(time_, ahead_s) for time_ in told} == {True, False}
    assert audit_files(tmp_path / "audit")[-1].name == f"audit-{len(audit_files(tmp_path / 'audit')):08d}.jsonl"
    opened = [line["previous"] for line in audit_lines(tmp_path / "audit") if line["type"] == "open"]
    assert [one["end"] for one in opened[1:]] == ["closed"] * (len(opened) - 1)


def test_tokens_follow_the_clock_and_keys_and_rates_do_not(
    clock: WallClock, issuer: Issuer, models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(LINE)
    oidc = {"ECG_OIDC_ISSUER": issuer.url, "ECG_OIDC_AUDIENCE": AUDIENCE}
    settings = {"ECG_KEYS_FILE": str(tmp_path / "keys"), "ECG_RATE_LIMIT_PER_MINUTE": str(RATE), **oidc}
    with running(environment(models_dir, **settings), clock.arguments) as process:
        ask = asking(process.client)
        token = issuer.token(nbf=int(time.time()))
        assert ask(token).is_success
        jump(clock, process, DAY_S)
        assert problem(ask(token), 401, "unauthorized")["found"] == "a token that has expired"
        assert ask(issuer.token(exp=int(time.time()) + DAY_S + 300)).is_success
        jump(clock, process, -DAY_S)
        assert problem(ask(token), 401, "unauthorized")["found"] == "a token that is not valid yet"
        jump(clock, process, 0)
        assert ask(token).is_success
        statuses = [ask(KEY).status_code for _ in range(RATE)]
        assert 200 in statuses
        problem(ask(KEY), 429, "rate_limited")
        jump(clock, process, DAY_S)
        problem(ask(KEY), 429, "rate_limited")
        assert len(issuer.requests) == 2, "the issuer's keys have not become old"


def asking(client: httpx.Client) -> Callable[[str], httpx.Response]:
    return lambda secret: client.get("/models", headers={"Authorization": f"Bearer {secret}"})
