"""A server as a process of its own on loopback, with all that it starts, and what the kernel says about them.

Needs Linux's /proc.
"""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.exchange import HOST, OK

__all__ = ["ServerProcess", "family", "free_port", "server_process"]

READY_WITHIN_S = 60.0
_POLL_S = 0.01
_SCHEDULED = 2


class ServerProcess:
    """A server that is ready."""

    def __init__(self, pid: int, port: int, ready_s: float) -> None:
        self.pid = pid
        self.port = port
        self.ready_s = ready_s
        """From the start of the process until it said that it is ready."""

    def cpu_s(self) -> float:
        """CPU time of all threads of all its processes so far, in user and kernel, to the nanosecond."""
        # What clock_getcpuclockid(3) gives, which Python does not have: linux/posix-timers.h, MAKE_PROCESS_CPUCLOCK.
        return sum(time.clock_gettime(~pid << 3 | _SCHEDULED) for pid in family(self.pid))

    def resident_mib(self) -> float:
        """Memory of all its processes now; what they share counts once (Pss, proc(5))."""
        return sum(_pss_mib(pid) for pid in family(self.pid))


def family(pid: int) -> list[int]:
    """A process and all that it started, those last that were started last."""
    with suppress(OSError):  # it has ended meanwhile
        threads = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
        return [pid, *(one for child in children for one in family(child))]
    return []


def _pss_mib(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("the kernel tells no Pss")
    return int(found.group(1)) / 1024


@contextmanager
def server_process(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    port: int,
    ready_path: str = "/health",
    folder: Path | None = None,
) -> Iterator[ServerProcess]:
    """Start a server in ``folder`` and wait until ``ready_path`` says 200; it ends with the block.

    Raises:
        RuntimeError: it ended, or was not ready in time; its log says why.
    """
    started_s = time.monotonic()
    with TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)  # noqa: S603 - our own words
        try:
            while not _ready(port, ready_path):
                if process.poll() is not None or time.monotonic() - started_s > READY_WITHIN_S:
                    log.seek(0)
                    raise RuntimeError(f"the service does not get ready: {log.read().decode()}")
                time.sleep(_POLL_S)
            yield ServerProcess(process.pid, port, time.monotonic() - started_s)
        finally:
            for pid in family(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _ready(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=READY_WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
