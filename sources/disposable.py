"""Run a parser of hostile files in a process of its own that may crash, hang or run out of memory.

The script runs under ``python -I`` with an empty environment, reads the file from stdin and writes its answer to
stdout: a line of JSON, then bytes. The limits are in force before the script gets its first byte.
"""

import json
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_preproc.errors import UnsupportedFormatError

__all__ = ["Limits", "run_disposable"]

_ONE_AT_A_TIME = threading.Lock()  # a service's memory grows by the limit of one run
_WALL_S = 60  # the CPU time is the limit; this one is for a process that waits, or gets no CPU


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    cpu_s: int
    address_space_bytes: int = 512 * 2**20


def run_disposable(
    script: Path, data: bytes, *arguments: str, what: str, limits: Limits
) -> tuple[dict[str, Any], bytes]:
    """Run ``script`` on ``data`` and return its answer: the JSON object, and the bytes that follow it.

    ``what`` names the file in messages: "a PDF".

    Raises:
        UnsupportedFormatError: the run crashed or went over a limit.
    """
    with (
        _ONE_AT_A_TIME,
        subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-I", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            for limit, value in (
                (resource.RLIMIT_AS, limits.address_space_bytes),
                (resource.RLIMIT_CPU, limits.cpu_s),
                (resource.RLIMIT_CORE, 0),
            ):
                resource.prlimit(process.pid, limit, (value, value))
            answer, _ = process.communicate(data, timeout=_WALL_S)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            process.kill()
            raise _over(what, limits) from None
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise _over(what, limits)
    line, _, payload = answer.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    return header, payload


def _over(what: str, limits: Limits) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        found=f"{what} that cannot be read within {limits.cpu_s} s of CPU time and "
        f"{limits.address_space_bytes // 2**20} MiB of memory",
        expected=f"{what} of one ECG, of ordinary size",
        remedy="Export the ECG again, or send the page as JPEG or PNG.",
    )
