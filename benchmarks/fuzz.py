"""Throws spoiled requests at a real service process: ``python -m benchmarks.fuzz --cases 20000 --seconds 600``.

Stops by itself, prints what was answered, and exits with 1 on any fault: a 5xx but 503, no whole answer in time, a
connection closed without an answer to well-formed HTTP, an error without its documented body, a process that died or
logged what nobody foresaw. ``--first N --cases 1`` with the same seed and models repeats the case N. With ``--keys``
the service asks for a key, which nine of ten cases show.
"""

import argparse
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from itertools import islice, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

from benchmarks.fuzz_requests import Case, Requests
from benchmarks.fuzz_verdict import Answer, code_of, fault
from service.auth.keys import new_key
from tests import factories
from tests.service.process import AS_ITS_OPERATOR, Process, environment, running

__all__ = ["SETTINGS", "Outcome", "Tally", "attack", "pages", "what_broke"]

SETTINGS = {
    "ECG_BODY_TIMEOUT_S": "0.5",  # so that the bodies that never end take no long time
    "ECG_HEADER_TIMEOUT_S": "2",  # shorter, and a client that gets no CPU on a busy machine looks like a fault
    "ECG_KEEP_ALIVE_TIMEOUT_S": "5",
    "ECG_MAX_BODY_BYTES": str(4 * 2**20),
}
HANG_S = 20.0
CLIENTS = 6
BATCH = 10 * CLIENTS
MOST_FAULTS = 200
"""After so many it stops: the service is broken."""


class Outcome(NamedTuple):
    """What became of a case."""

    number: int
    kind: str
    answered: str
    fault: str | None
    wall_s: float


class Tally:
    """What became of all cases."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.faults: list[Outcome] = []
        self.slowest: Outcome | None = None

    def count(self, outcome: Outcome) -> None:
        """Add one."""
        self.counts[outcome.kind, outcome.answered] += 1
        if outcome.fault is not None:
            self.faults.append(outcome)
        if self.slowest is None or outcome.wall_s > self.slowest.wall_s:
            self.slowest = outcome

    def lines(self) -> Iterator[str]:
        """Say it: sums by answer, then by kind, then each fault."""
        by_answer: Counter[str] = Counter()
        by_kind: dict[str, Counter[str]] = {}
        for (kind, answered), count in sorted(self.counts.items()):
            by_answer[answered] += count
            by_kind.setdefault(kind, Counter())[answered] = count
        yield f"{self.counts.total()} cases"
        yield from (f"{count:8} {answered}" for answered, count in by_answer.most_common())
        for kind, answers in by_kind.items():
            yield f"{kind}: " + ", ".join(f"{count} x {answered}" for answered, count in answers.most_common())
        if self.slowest is not None:
            yield f"slowest: case {self.slowest.number} ({self.slowest.kind}), {self.slowest.wall_s:.2f} s"
        yield f"{len(self.faults)} faults"
        yield from (f"  case {one.number} ({one.kind}): {one.fault}; answered {one.answered}" for one in self.faults)


def pages() -> Sequence[bytes]:
    """Whole pictures to spoil: pages in all varieties that are accepted, and some that are not."""
    return (
        factories.page_jpeg(),
        factories.page_jpeg("myocardial_infarction", 1),
        factories.page_png(),
        factories.grayscale_jpeg(),
        factories.progressive_jpeg(),
        factories.cmyk_jpeg(),
        factories.rotated_jpeg(6),
        factories.palette_png(),
        factories.transparent_palette_png(),
        factories.rgba_png(),
        factories.gray16_png(),
        factories.apng(),
        factories.bomb_png(),
        factories.blank_png(),
    )


def attack(url: httpx.URL, requests: Requests, numbers: range, *, end_s: float) -> Tally:
    """Send the cases of these numbers, some at a time, until ``end_s`` on the monotonic clock at the latest."""
    tally = Tally()
    alive = takewhile(lambda _: time.monotonic() < end_s and len(tally.faults) < MOST_FAULTS, numbers)
    with ThreadPoolExecutor(CLIENTS) as clients:
        for batch in _batches(alive):
            for outcome in clients.map(lambda number: _outcome(url, requests.case(number), number), batch):
                tally.count(outcome)
    return tally


def _batches(numbers: Iterator[int]) -> Iterator[list[int]]:
    while batch := list(islice(numbers, BATCH)):
        yield batch


def _outcome(url: httpx.URL, case: Case, number: int) -> Outcome:
    started_s = time.monotonic()
    wrong: str | None
    try:
        answer = _exchange(url, case)
    except TimeoutError:
        answered, wrong = "nothing in time", f"no whole answer within {HANG_S:g} s"
    except (OSError, HTTPException) as error:
        answered = f"closed ({type(error).__name__})"
        wrong = "no answer" if case.is_http or isinstance(error, ConnectionRefusedError) else None
    else:
        answered, wrong = f"{answer.status} {code_of(answer)}", fault(case, answer)
    return Outcome(number, case.kind, answered, wrong, time.monotonic() - started_s)


def _exchange(url: httpx.URL, case: Case) -> Answer:
    """Send all of a case and read one answer.

    Raises:
        TimeoutError: there is no whole answer after `HANG_S`.
        OSError, HTTPException: the connection was closed without one.
    """
    end_s = time.monotonic() + HANG_S
    with socket.create_connection((url.host, url.port or 0), timeout=HANG_S) as connection:
        with suppress(ConnectionError):  # what is refused early may be closed before all of it is sent
            connection.sendall(case.raw)
        connection.settimeout(max(end_s - time.monotonic(), 0.01))
        with HTTPResponse(connection, method=case.method) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())


def what_broke(process: Process) -> str | None:
    """What is the matter with the process after all that; None if it answers and has logged no fault of its own."""
    try:
        health = process.client.get("/health")
    except httpx.HTTPError as error:
        return f"the process does not answer any more: {type(error).__name__}\n{process.log[-3000:]}"
    if not health.is_success:
        return f"/health is {health.status_code}; the log ends with\n{process.log[-3000:]}"
    start = process.log.find("Traceback")
    return None if start < 0 else f"the log holds a fault:\n{process.log[max(start - 500, 0) : start + 5000]}"


def main() -> None:
    """Fuzz, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--keys", action="store_true")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.cases)
    key, line = new_key("fuzzer")
    requests = Requests(options.seed, pages(), key if options.keys else None)
    with TemporaryDirectory() as folder:
        settings = environment(options.models.resolve(), **SETTINGS, ECG_AUDIT_DIR=f"{folder}/audit")
        if options.keys:
            settings["ECG_KEYS_FILE"] = f"{folder}/keys"
            Path(folder, "keys").write_text(line)
        # The later switch for warnings holds: they are no errors, as where the service is run.
        with running(settings, ("-W", "default", *AS_ITS_OPERATOR)) as process:
            tally = attack(process.url, requests, numbers, end_s=time.monotonic() + options.seconds)
            print("\n".join(tally.lines()))
            broken = what_broke(process)
            print(f"most memory: {process.memory_bytes('VmHWM') / 2**20:.0f} MiB" if broken is None else broken)
    sys.exit(1 if tally.faults or broken else 0)


if __name__ == "__main__":
    main()
