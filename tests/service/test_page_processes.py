"""Pages that are prepared in other processes: the same answers, and nothing lost or left when one of them dies."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from benchmarks.server_process import family
from service import page_processes
from service.page_processes import PageProcesses
from service.prepared import PreparedPage, prepare
from shared_preproc.errors import UndecodableImageError, UnreadableLeadsError, UnsuitableDimensionsError
from shared_preproc.leads import Lead
from shared_preproc.spec import MASKS_150, TRACES_50_HZ, MaskTensor, PreprocSpec, TraceTensor
from tests.factories import page_jpeg, page_without_leads_png, resized_png
from tests.service.process import Process, environment, running
from tests.service.serving import file_form, wait_until

MIB = 2**20
TRACE = TRACES_50_HZ.trace


@pytest.fixture(scope="module")
def processes() -> Iterator[PageProcesses]:
    processes = PageProcesses(2)
    processes.start()
    yield processes
    processes.close()
    assert not active_children()


def said(page: PreparedPage) -> tuple[object, ...]:
    return page.image, page.doubts, page.quality, page.tensor.dtype, page.tensor.tobytes(), list(page.timings_ms)


@pytest.mark.parametrize("spec", [TRACES_50_HZ, MASKS_150])
def test_they_make_of_a_page_what_this_process_makes_of_it(processes: PageProcesses, spec: PreprocSpec) -> None:
    pages = [page_jpeg(seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        prepared = list(threads.map(lambda page: processes.prepare(page, spec), pages))
    assert [said(page) for page in prepared] == [said(prepare(page, spec)) for page in pages]


def test_refusals_come_back_as_they_were_raised(processes: PageProcesses) -> None:
    with pytest.raises(UnsuitableDimensionsError, match="1000 x 800 px") as size:
        processes.prepare(resized_png(1000, 800), TRACES_50_HZ)
    assert (size.value.width_px, size.value.height_px) == (1000, 800)
    with pytest.raises(UnreadableLeadsError) as leads:
        processes.prepare(page_without_leads_png(Lead.V2), TRACES_50_HZ)
    assert leads.value.leads == (Lead.V2,)


def test_a_fault_comes_back_with_the_place_where_it_happened(processes: PageProcesses) -> None:
    with pytest.raises(AttributeError) as fault:
        processes.prepare(page_jpeg(), cast("PreprocSpec", "no numbers"))
    assert "decode_page" in "".join(fault.value.__notes__)


def test_a_tensor_for_which_there_is_no_room_is_a_fault_of_the_numbers_and_not_of_the_page(
    processes: PageProcesses,
) -> None:
    before = {child.pid for child in active_children()}
    with pytest.raises(ValueError, match=r"\(13, 1600, 1700\), for which there is no room"):
        processes.prepare(page_jpeg(), replace(MASKS_150, tensor=MaskTensor(1600, 1700)))
    assert {child.pid for child in active_children()} == before


def test_a_process_that_died_is_replaced_and_its_page_prepared(
    processes: PageProcesses, caplog: pytest.LogCaptureFixture
) -> None:
    for child in active_children():
        child.kill()
        child.join()
    assert np.isfinite(processes.prepare(page_jpeg(), TRACES_50_HZ).tensor).all()
    assert processes.prepare(page_jpeg(), TRACES_50_HZ).image.format == "JPEG"
    assert [record.fields for record in caplog.records] == [{"exit_code": -signal.SIGKILL}] * 2  # type: ignore[attr-defined] # a field of ours
    assert len(active_children()) == 2


def test_a_process_that_cannot_be_replaced_once_is_replaced_for_the_next_page(
    processes: PageProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(process: page_processes._PageProcess, longest_s: float) -> None:
        raise EOFError(f"{process} ended within {longest_s} s")  # as when memory is short

    for child in active_children():
        child.kill()
        child.join()
    with monkeypatch.context() as patch:
        patch.setattr(page_processes._PageProcess, "wait_until_ready", killed)
        for _ in range(2):
            with pytest.raises(EOFError):
                processes.prepare(page_jpeg(), TRACES_50_HZ)
    for _ in range(3):
        assert processes.prepare(page_jpeg(), TRACES_50_HZ).image.format == "JPEG"
    assert len(active_children()) == 2


def test_a_page_whose_answer_could_not_be_taken_leaves_none_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(process: page_processes._PageProcess, longest_s: float) -> int:
        raise MemoryError(f"{process}, {longest_s}")

    before, processes = set(active_children()), PageProcesses(1)
    processes.start()
    with monkeypatch.context() as patch:
        patch.setattr(page_processes._PageProcess, "_wait", fails)
        with pytest.raises(MemoryError):
            processes.prepare(page_jpeg(seed=1), TRACES_50_HZ)
    pages = [page_jpeg(seed=seed) for seed in (2, 3)]
    assert [said(processes.prepare(page, TRACES_50_HZ)) for page in pages] == [
        said(prepare(page, TRACES_50_HZ)) for page in pages
    ]
    processes.close()
    assert set(active_children()) == before


def test_numbers_of_any_length_reach_the_process(processes: PageProcesses) -> None:
    many = replace(TRACE, zero_rows_px=TRACE.zero_rows_px + tuple(2000.0 + row for row in range(20_000)))
    spec = replace(TRACES_50_HZ, tensor=TraceTensor(many))
    page = page_jpeg()
    assert said(processes.prepare(page, spec)) == said(prepare(page, spec))


class _Deadly:
    """No numbers: whoever unpacks it ends."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


def test_a_page_that_ends_every_process_is_refused_and_the_next_is_not(
    processes: PageProcesses, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UndecodableImageError, match="broke the decoder"):
        processes.prepare(b"a page", cast("PreprocSpec", _Deadly()))
    assert [record.fields for record in caplog.records] == [{"exit_code": 9}] * 2  # type: ignore[attr-defined] # a field of ours
    assert processes.prepare(page_jpeg(), TRACES_50_HZ).image.format == "JPEG"
    assert len(active_children()) == 2


class _Endless:
    """No numbers: whoever unpacks it is long at that."""

    def __reduce__(self) -> tuple[object, ...]:
        return time.sleep, (60,)


def test_a_page_that_takes_for_ever_is_given_up() -> None:
    before, processes = set(active_children()), PageProcesses(1, longest_s=5)
    processes.start()
    with pytest.raises(UndecodableImageError, match="took the decoder more than 5 s"):
        processes.prepare(b"a page", cast("PreprocSpec", _Endless()))
    assert processes.prepare(page_jpeg(), TRACES_50_HZ).image.format == "JPEG"
    processes.close()
    assert set(active_children()) == before


def test_a_process_that_does_not_take_its_page_is_replaced_and_the_page_is_not_to_blame() -> None:
    before, processes = set(active_children()), PageProcesses(1, longest_s=5)
    processes.start()
    (child,) = set(active_children()) - before
    os.kill(cast("int", child.pid), signal.SIGSTOP)
    assert processes.prepare(page_jpeg(), TRACES_50_HZ).image.format == "JPEG"
    processes.close()
    assert set(active_children()) == before


def shared_kib(pid: int) -> int:
    """Memory that a process shares with others without a file, divided by their number."""
    (kib,) = re.findall(r"^Pss_Shmem:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(kib)


def test_a_page_larger_than_any_is_refused_and_one_nearly_as_large_leaves_no_memory_behind(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_WORKER_THREADS="2", ECG_MAX_BODY_BYTES=str(40 * MIB))) as process:
        before_kib = sum(map(shared_kib, family(process.pid)))
        for size_mib, status in ((33, 415), (31, 200)):  # what comes after a JPEG's end is not looked at
            page = page_jpeg().ljust(size_mib * MIB, b"\0")
            assert process.client.post("/classify", content=page).status_code == status
        assert sum(map(shared_kib, family(process.pid))) < before_kib + 1024


def test_processes_that_hang_hold_up_no_end(models_dir: Path) -> None:
    settings = {"ECG_WORKER_THREADS": "2", "ECG_REQUEST_DEADLINE_S": "0.5", "ECG_SHUTDOWN_GRACE_S": "1"}
    with running(environment(models_dir, **settings)) as process:
        for page in pages_with(process):
            os.kill(page, signal.SIGSTOP)
        statuses = {process.client.post("/classify", content=page_jpeg()).status_code for _ in range(3)}
        assert statuses == {503}
        process.terminate()
        assert process.wait() == -signal.SIGTERM


@pytest.fixture
def process(models_dir: Path) -> Iterator[Process]:
    with running(environment(models_dir, ECG_WORKER_THREADS="2")) as process:
        yield process


def pages_with(process: Process) -> list[int]:
    """Of the service's processes, those that prepare pages."""
    return [pid for pid in family(process.pid)[1:] if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def test_no_request_fails_while_processes_are_killed(process: Process) -> None:
    body, statuses = file_form(page_jpeg()), []
    for _ in range(3):
        before = pages_with(process)
        os.kill(before[0], signal.SIGKILL)
        statuses += [process.client.post("/classify", **body).status_code for _ in range(4)]
        assert len(pages_with(process)) == 2
        assert before[0] not in pages_with(process)
    assert statuses == [200] * 12


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_they_end_with_the_service_however_it_ends(process: Process, told: signal.Signals) -> None:
    everything = family(process.pid)
    assert len(pages_with(process)) == 2
    os.kill(process.pid, told)
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everything))
