"""A bounded part of `benchmarks.fuzz`: no spoiled request brings a fault, a hang or an undocumented answer."""

import time
from pathlib import Path

from benchmarks.fuzz import SETTINGS, attack, pages, what_broke
from benchmarks.fuzz_requests import Requests
from tests.factories import page_png
from tests.service.process import environment, running

CASES = 400
SECONDS = 60.0


def test_spoiled_requests_are_answered_as_documented(models_dir: Path, tmp_path: Path) -> None:
    settings = environment(models_dir, **SETTINGS, ECG_AUDIT_DIR=str(tmp_path))
    requests = Requests(0, pages())
    with running(settings) as process:
        tally = attack(process.url, requests, range(CASES), end_s=time.monotonic() + SECONDS)
        assert not tally.faults, "\n".join(tally.lines())
        assert what_broke(process) is None
        statuses = {answered.split()[0] for _, answered in tally.counts}
        assert statuses >= {"200", "400", "404", "405", "408", "415", "421", "422"}


def test_a_number_makes_the_same_case_again() -> None:
    first, second = (Requests(7, [page_png()]) for _ in range(2))
    assert [first.case(number) for number in range(100)] == [second.case(number) for number in range(100)]
