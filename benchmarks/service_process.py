"""The service as a process of its own on loopback, and what the kernel says about it. Needs Linux's /proc."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile

__all__ = ["ServiceProcess", "service_process"]

HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
_POLL_S = 0.01
_SCHEDULED = 2


class ServiceProcess:
    """A service that is ready."""

    def __init__(self, pid: int, port: int, ready_s: float) -> None:
        self._proc = Path(f"/proc/{pid}")
        # What clock_getcpuclockid(3) gives, which Python does not have: linux/posix-timers.h, MAKE_PROCESS_CPUCLOCK.
        self._clock = ~pid << 3 | _SCHEDULED
        self.port = port
        self.ready_s = ready_s
        """From the start of the process until /health said 200."""

    def cpu_s(self) -> float:
        """CPU time of all its threads so far, in user and kernel, to the nanosecond; /proc tells hundredths."""
        return time.clock_gettime(self._clock)

    def memory_mib(self, measure: str) -> float:
        """``VmRSS``, resident now, or ``VmHWM``, the most that ever was."""
        found = re.search(rf"^{measure}:\s+(\d+) kB$", (self._proc / "status").read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"the kernel tells no {measure}")
        return int(found.group(1)) / 1024


@contextmanager
def service_process(models_dir: Path, model: str) -> Iterator[ServiceProcess]:
    """Start the service with its default settings and wait until it is ready; it ends with the block.

    Raises:
        RuntimeError: it ended, or was not ready in time; its log says why.
    """
    port = _free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
    settings = {
        "ECG_PORT": str(port),
        "ECG_MODELS_DIR": str(models_dir),
        "ECG_DEFAULT_MODEL": model,
    }
    started_s = time.monotonic()
    with TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", "service"], env={**inherited, **settings}, stderr=log)
        try:
            while not _ready(port):
                if process.poll() is not None or time.monotonic() - started_s > READY_WITHIN_S:
                    log.seek(0)
                    raise RuntimeError(f"the service does not get ready: {log.read().decode()}")
                time.sleep(_POLL_S)
            yield ServiceProcess(process.pid, port, time.monotonic() - started_s)
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=READY_WITHIN_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200  # noqa: PLR2004 - HTTP
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
