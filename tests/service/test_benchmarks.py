import os
import re
import sys
from collections.abc import Iterator
from math import isfinite

import pytest

from benchmarks import batching, cores, preprocessing, serving_cost, thread_scaling, versions
from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import HEALTH, Body, as_form, as_raw
from benchmarks.measuring import Spread, busy_cpu_s, synthetic_pages, table
from benchmarks.open_loop import MOST_REQUESTS, NO_ANSWER, open_loop
from benchmarks.overload import overload, side_by_side
from benchmarks.server_process import ServerProcess, family, free_port, server_process
from benchmarks.service_process import service_process
from model_registry.registry import Registry
from service.classify import LoadedModel
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
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
    assert service.resident_mib() > 50


def test_open_loop_sends_on_time_whatever_the_answers(service: ServerProcess, pages: list[bytes]) -> None:
    load = open_loop(service.port, [as_raw(page) for page in pages], rate_hz=300, duration_s=0.5)
    assert [round(one.due_s * 300) for one in load.arrivals] == list(range(150))
    assert load.statuses.keys() == {200, 503}
    assert load.statuses.total() == 150
    assert all(one.due_s <= one.sent_s <= one.answered_s for one in load.arrivals)
    assert load.latency_ms(50) > load.latency_ms(50, 503)
    assert load.goodput_hz * 0.5 <= load.statuses[200]


def test_connections_that_break_are_counted() -> None:
    load = open_loop(free_port(), [HEALTH], rate_hz=100, duration_s=0.1)
    assert load.statuses == {NO_ANSWER: 10}
    assert load.goodput_hz == 0


def test_a_run_is_bounded() -> None:
    with pytest.raises(ValueError, match=f"at most {MOST_REQUESTS}"):
        open_loop(1, [HEALTH], rate_hz=1e6, duration_s=1)


def test_the_cpu_time_of_the_machine_holds_that_of_a_service(service: ServerProcess, pages: list[bytes]) -> None:
    service_s, all_s = service.cpu_s(), busy_cpu_s()
    closed_loop(service.port, [as_raw(page) for page in pages], requests=12)
    assert 0.1 < service.cpu_s() - service_s < busy_cpu_s() - all_s + 0.1  # the kernel counts hundredths a core


def test_a_server_ends_with_all_that_it_started() -> None:
    port = free_port()
    script = f"{sys.executable} -m http.server {port} --bind 127.0.0.1 & wait"
    with server_process(["sh", "-c", script], os.environ, port=port, ready_path="/") as server:
        assert len(family(server.pid)) == 2
        assert server.resident_mib() > 5
    assert not family(server.pid)


@pytest.mark.slow
def test_overload_gets_answers_refusals_and_health(service: ServerProcess, pages: list[bytes]) -> None:
    # Thrice, as a busy machine may have seemed half as fast as it is.
    done = overload(service, [as_raw(page) for page in pages], times=3, seconds=4, requests=24)
    assert done.load.statuses.keys() == {200, 503}
    assert done.health.statuses == {200: 80}
    assert done.goodput > 0.1  # what it is on a quiet machine, the benchmark says
    rows = {name: value for name, value, _ in done.rows()}
    assert rows["answers"].endswith("x 503")
    assert done.memory_mib[1] < done.memory_mib[0] + 64


@pytest.mark.campaign
def test_goodput_and_capacity_are_measured_in_turn(service: ServerProcess, pages: list[bytes]) -> None:
    shares = side_by_side(service, [as_raw(page) for page in pages], times=2, rounds=2, round_s=1)
    assert all(0.2 < share.low <= share.median <= share.high < 2 for share in shares)


def test_a_service_that_ends_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.service_process.free_port", lambda: 70_000)
    with pytest.raises(RuntimeError, match="cannot start"), service_process(MODELS, "production"):
        pass


@pytest.mark.campaign
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


@pytest.mark.campaign
def test_what_a_second_core_gives_is_said_of_every_way(pages: list[bytes]) -> None:
    rows = cores.report(pages, 1, 4, MODELS, "production").splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| the service",
        "| bare functions, a thread a core",
        "| bare functions, a process a core",
    ]


@pytest.mark.slow
def test_two_versions_are_measured_in_every_figure(pages: list[bytes]) -> None:
    lines = versions.report(REPOSITORY, "crnn", [as_raw(page) for page in pages], 1, 1.0).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:-2]] == list(versions.NAMES)
    ratios = [float(line.split(" | ")[3].split()[0]) for line in lines[2:-2]]
    assert 0.5 < ratios[versions.NAMES.index("memory at the end, MiB")] < 2  # of the same version
    assert re.fullmatch(r"Statuses at 200 %: \[200(, 503)?\]; \[200(, 503)?\]", lines[-1])


def test_threads_are_held_against_one_for_every_step(pages: list[bytes]) -> None:
    bundle = Catalog(Registry(MODELS)).load("production")
    model = LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))
    report = thread_scaling.report(pages, model, 0.3)
    scaling = re.findall(r"^\| ([^|]+) \| [\d.]+ \| ([\d.]+) \|$", report, re.MULTILINE)
    assert [name for name, _ in scaling] == [
        "decode",
        "masks",
        "curves",
        "examination",
        "graph",
        "hash",
        "all: classify()",
    ]
    assert all(isfinite(float(ratio)) for _, ratio in scaling)


@pytest.mark.slow
def test_every_batch_size_is_held_against_one_page() -> None:
    bundle = Catalog(Registry(MODELS)).load("production")
    report = batching.report(bundle, OnnxClassifier(bundle, wanted="cpu", threads=1), [1, 3], 2, 0.05)
    assert report.startswith(f"{bundle.manifest.ref} on cpu\n")
    rates = re.findall(r"^\| (\d+) \| [\d.]+ \| (\d+) \| [\d.]+ \(", report, re.MULTILINE)
    assert [size for size, _ in rates] == ["1", "3"]
    assert all(int(rate_hz) > 0 for _, rate_hz in rates)
