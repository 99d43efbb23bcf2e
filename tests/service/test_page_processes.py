"""Pages that are prepared in other processes: the same answers, and nothing lost or left when one of them dies."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from benchmarks.server_process import family
from service.page_processes import PageProcesses
from service.prepared import PreparedPage, prepare
from shared_preproc.errors import UnreadableLeadsError, UnsuitableDimensionsError
from shared_preproc.leads import Lead
from shared_preproc.spec import MASKS_150, TRACES_50_HZ, PreprocSpec
from tests.factories import page_jpeg, page_without_leads_png, resized_png
from tests.service.process import Process, environment, running
from tests.service.serving import file_form, wait_until


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
