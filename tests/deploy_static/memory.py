"""``python -m tests.deploy_static.memory``: the most memory that the service takes with the cluster's settings.

Eight clients at once, with pages as JPEG and as PNG without compression, a second model, explanations. Minutes; some
of the PNGs are refused with 503, because they are more than `ECG_MAX_BODIES_BYTES`. Give it two CPUs
(``taskset -c 0,1``).
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import cv2
import httpx
import numpy as np

from benchmarks.server_process import ServerProcess
from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import rendered, settings
from tests.factories import page_jpeg
from tests.service.process import Process, environment, running

CLIENTS = 8
TIMEOUT_S = 120
OF_THE_CLUSTER = ("HOST", "PORT", "MODELS_DIR", "KEYS_FILE", "METRICS_PORT")


def main() -> None:
    """Measure and print, in MiB: of all the service's processes, what they share counted once."""
    given = settings(rendered("overlays/minimal"))
    for name in OF_THE_CLUSTER:
        given.pop(f"ECG_{name}")
    jpeg = page_jpeg()
    loads = (("", jpeg, 30), ("", _png(jpeg), 10), ("model=crnn", jpeg, 15), ("explain=true", jpeg, 2))
    with running(environment(REPOSITORY / "models", **given)) as process, _watched(process) as most_mib:
        sys.stdout.write(f"ready: {most_mib():.0f}\n")
        for query, body, pages in (*loads, ("model=crnn", _png(jpeg), 6), ("explain=true", _png(jpeg), 1)):
            answers = _send(process, query, body, pages)
            sys.stdout.write(f"{len(body)} bytes ?{query} {dict(answers)}: {most_mib():.0f} at most so far\n")


@contextmanager
def _watched(process: Process) -> Iterator[Callable[[], float]]:
    """Gives what tells the most memory so far, looked at ten times a second."""
    service = ServerProcess(process.pid, process.url.port or 0, ready_s=0)
    seen_mib, ended = [service.resident_mib()], Event()

    def watch() -> None:
        while not ended.wait(0.1):
            seen_mib.append(service.resident_mib())

    with ThreadPoolExecutor(1) as thread:
        watching = thread.submit(watch)
        try:
            yield lambda: max(seen_mib)
        finally:
            ended.set()
            watching.result()


def _send(process: Process, query: str, body: bytes, pages: int) -> Counter[int]:
    """What came back, by status."""

    def one(_: int) -> list[int]:
        with httpx.Client(base_url=process.url, timeout=TIMEOUT_S) as client:
            return [client.post(f"/classify?{query}", content=body).status_code for _ in range(pages)]

    with ThreadPoolExecutor(CLIENTS) as threads:
        return Counter(status for statuses in threads.map(one, range(CLIENTS)) for status in statuses)


def _png(jpeg: bytes) -> bytes:
    page = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert page is not None
    return cv2.imencode(".png", page, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()


if __name__ == "__main__":
    main()
