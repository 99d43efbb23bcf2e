import re
from collections.abc import Iterator

import pytest

from benchmarks import preprocessing, serving_cost
from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import Body, as_form, as_raw
from benchmarks.measuring import Spread, synthetic_pages, table
from benchmarks.server_process import ServerProcess
from benchmarks.service_process import service_process
from tests.conftest import REPOSITORY

MODELS = REPOSITORY / "models"


@pytest.fixture(scope="module")
def pages() -> list[bytes]:
    return synthetic_pages(3)


@pytest.fixture(scope="module")
def service() -> Iterator[ServerProcess]:
    with service_process(MODELS, "production") as process:
        yield process


def test_pages_differ(pages: list[bytes]) -> None:
    assert len(set(pages)) == 3


def test_a_spread_is_of_the_rounds() -> None:
    assert str(Spread.of([5, 1, 2, 3, 4])) == "3.00 (2.00 to 4.00)"


def test_a_table_is_markdown() -> None:
    assert table(["way", "ms"], [("bare", 2)]) == "| way | ms |\n| --- | --- |\n| bare | 2 |"


def test_every_client_gets_the_answers_to_what_it_sends(service: ServerProcess, pages: list[bytes]) -> None:
    bodies = [as_raw(pages[0]), as_form(pages[1]), as_raw(pages[2])]
    exchanges = closed_loop(service.port, bodies, concurrency=2, requests=4)
    images = [exchange.answer["image"]["sha256"] for exchange in exchanges]
    assert len(images) == 4
    assert len(set(images)) == 3
    assert all(exchange.latency_ms >= exchange.answer["timings_ms"]["total"] for exchange in exchanges)


def test_a_refusal_ends_the_measurement(service: ServerProcess) -> None:
    with pytest.raises(RuntimeError, match="unsupported"):
        closed_loop(service.port, [Body(b"no page", "image/jpeg")])


def test_work_shows_in_the_cpu_time_of_the_service(service: ServerProcess, pages: list[bytes]) -> None:
    before_s = service.cpu_s()
    closed_loop(service.port, [as_raw(page) for page in pages], requests=6)
    assert service.cpu_s() - before_s > 0.03
    assert service.memory_mib("VmHWM") >= service.memory_mib("VmRSS") > 50


def test_a_service_that_ends_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.service_process.free_port", lambda: 70_000)
    with pytest.raises(RuntimeError, match="cannot start"), service_process(MODELS, "production"):
        pass


def test_the_report_has_every_way_and_every_number_of_clients(pages: list[bytes]) -> None:
    report = serving_cost.report(pages, 3, MODELS, "production")
    cpu_ms = {name: float(spent) for name, spent in re.findall(r"^\| ([^|]+) \| ([\d.]+) \(", report, re.MULTILINE)}
    assert list(cpu_ms) == [
        "/classify, raw body",
        "/classify, form",
        "bare: classify() in a loop",
        "floor: decode, graph",
    ]
    assert 0 < cpu_ms["floor: decode, graph"] < cpu_ms["bare: classify() in a loop"]
    assert re.findall(r"^\| (\d+) \| [\d.]+ \| [\d.]+ \| \d+ \| \d+ \| \d+ \|$", report, re.MULTILINE) == list("1248")
    assert "Start to ready: " in report


def test_the_fast_road_is_cheaper_than_the_reference(pages: list[bytes]) -> None:
    rows = preprocessing.report(pages[:1], 1).splitlines()[2:]
    times = {row.split(" | ")[0].strip("| "): float(row.split(" | ")[2].split()[0]) for row in rows}
    assert times["decode, masks"] > 2
