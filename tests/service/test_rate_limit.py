"""The bucket of each caller, and how a client meets it."""

from pathlib import Path

import httpx
import pytest

from service.auth.access import RateLimit
from service.auth.keys import new_key
from service.errors import RateLimitedError
from tests.service.serving import problem, serving, settings_for


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, caller: str, tries: int = 1000) -> int:
    for count in range(tries):
        try:
            limit.take(caller)
        except RateLimitedError:
            return count
    return tries


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 997])
def test_a_minutes_requests_may_come_at_once_and_the_rest_evenly(per_minute: int) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock)
    assert taken(limit, "a") == per_minute
    for _ in range(5):
        clock.now += 60 / per_minute
        assert taken(limit, "a") == 1
    clock.now += 3600
    assert taken(limit, "a") == per_minute


def test_callers_do_not_use_up_each_others_requests() -> None:
    limit = RateLimit(2, Clock())
    assert [taken(limit, caller) for caller in "aba"] == [2, 2, 0]


def test_the_time_to_wait_is_enough_and_not_a_second_too_long() -> None:
    clock = Clock()
    limit = RateLimit(7, clock)
    taken(limit, "a")
    with pytest.raises(RateLimitedError) as refused:
        limit.take("a")
    wait_s = refused.value.retry_after_s or 0
    assert 60 / 7 <= wait_s < 60 / 7 + 1
    clock.now += wait_s
    limit.take("a")


def test_callers_who_left_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    for number in range(100_000):
        clock.now += 0.01
        limit.take(str(number))
    assert len(vars(limit)["_full_at"]) < 2048


def test_a_caller_above_the_limit(models_dir: Path, tmp_path: Path) -> None:
    (pacs, pacs_line), (pacs_2, pacs_2_line), (viewer, viewer_line) = map(new_key, ("pacs", "pacs", "viewer"))
    keys_file = tmp_path / "keys"
    keys_file.write_text("\n".join([pacs_line, pacs_2_line, viewer_line]))
    with serving(settings_for(models_dir, keys_file=keys_file, rate_limit_per_minute=2)) as client:

        def ask(key: str) -> httpx.Response:
            return client.get("/models", headers={"Authorization": f"Bearer {key}"})

        assert [ask("wrong").status_code for _ in range(3)] == [401] * 3
        assert [ask(key).status_code for key in (pacs, pacs_2)] == [200, 200], "a second key is no second caller"
        refused = ask(pacs)
        body = problem(refused, 429, "rate_limited")
        assert body["expected"] == "at most 2 requests a minute"
        assert 0 < int(refused.headers["retry-after"]) <= 30
        assert ask(viewer).is_success
        assert client.get("/health").is_success


def test_without_keys_all_callers_are_one(models_dir: Path) -> None:
    with serving(settings_for(models_dir, rate_limit_per_minute=1)) as client:
        assert client.get("/models", headers={"X-Forwarded-For": "10.0.0.1"}).is_success
        problem(client.get("/models", headers={"X-Forwarded-For": "10.0.0.2"}), 429, "rate_limited")
