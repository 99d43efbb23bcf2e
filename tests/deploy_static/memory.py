"""``python -m tests.deploy_static.memory``: the most memory that the service takes with the cluster's settings.

Eight clients at once, with pages as JPEG and as PNG without compression, a second model, explanations. Minutes; some
of the PNGs are refused with 503, because they are more than `ECG_MAX_BODIES_BYTES`. Give it two CPUs
(``taskset -c 0,1``).
"""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np

from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import rendered, settings
from tests.factories import page_jpeg
from tests.service.process import Process, environment, running

CLIENTS = 8
TIMEOUT_S = 120
OF_THE_CLUSTER = ("HOST", "PORT", "MODELS_DIR", "KEYS_FILE", "METRICS_HOST", "METRICS_PORT")


def main() -> None:
    """Measure and print, in MiB, with what the service's processes share counted for each."""
    given = settings(rendered("overlays/minimal"))
    for name in OF_THE_CLUSTER:
        given.pop(f"ECG_{name}")
    jpeg = page_jpeg()
    loads = (("", jpeg, 30), ("", _png(jpeg), 10), ("model=crnn", jpeg, 15), ("explain=true", jpeg, 2))
    with running(environment(REPOSITORY / "models", **given)) as process:
        sys.stdout.write(f"ready: {_mib(process)}\n")
        for query, body, pages in (*loads, ("model=crnn", _png(jpeg), 6), ("explain=true", _png(jpeg), 1)):
            answers = _send(process, query, body, pages)
            sys.stdout.write(f"{len(body)} bytes ?{query} {dict(answers)}: {_mib(process)} at most so far\n")


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


def _mib(process: Process) -> int:
    return process.most_memory_bytes() // 2**20


if __name__ == "__main__":
    main()
