"""The service as its operator starts it: a process of its own, told what to do by its environment and by signals."""

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.conftest import REPOSITORY
from tests.service.serving import TIMEOUT_S, wait_until

__all__ = ["AS_ITS_OPERATOR", "Process", "environment", "failed_start", "running"]

AS_ITS_OPERATOR = ("-m", "service")


def environment(models_dir: Path, **settings: str) -> dict[str, str]:
    """What the process sees: this environment without any settings, and these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
    given = {"ECG_PORT": "0", "ECG_MODELS_DIR": str(models_dir), **settings}
    return {**inherited, **given}


class Process:
    """A running service."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        wait_until(lambda: process.poll() is not None or "running on" in self.log)
        address = re.search(r"running on (http://\S+)", self.log)
        assert address, self.log
        self.url = httpx.URL(address.group(1))
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All it wrote to stderr so far."""
        return self._log.read_text()

    @property
    def root(self) -> Path:
        """The file system as this process sees it, what only it has mounted included."""
        return Path(f"/proc/{self._process.pid}/root")

    def memory_bytes(self, measure: str) -> int:
        """`VmRSS`, resident now, or `VmHWM`, the most that ever was."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{measure}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found
        return int(found.group(1)) * 1024

    def terminate(self) -> None:
        """Send SIGTERM, as an orchestrator does."""
        self._process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Send SIGINT, as a terminal does for Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Send SIGKILL, as the kernel does to who takes too much memory, and wait for the end."""
        self._process.kill()
        self._process.wait(TIMEOUT_S)

    def limit_files(self, size_bytes: int) -> None:
        """Let no file grow beyond this, as on a disk that is full; a later call may set another size."""
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def wait(self) -> int:
        """Wait for its end and give its exit status."""
        return self._process.wait(TIMEOUT_S)


def failed_start(
    environment: dict[str, str], arguments: tuple[str, ...] = AS_ITS_OPERATOR
) -> subprocess.CompletedProcess[str]:
    """What becomes of a service that is expected to refuse to start."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@contextmanager
def running(
    environment: dict[str, str], arguments: tuple[str, ...] = AS_ITS_OPERATOR, *, until_ready: bool = True
) -> Iterator[Process]:
    """A service that is ended with the block, if it has not ended by itself."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, "-W", "error", *arguments], env=environment, stderr=stderr, cwd=REPOSITORY
            ) as popen,
        ):
            try:
                process = Process(popen, log)
                with process.client:
                    if until_ready:
                        wait_until(lambda: process.client.get("/health").is_success)
                    yield process
            finally:
                popen.kill()
