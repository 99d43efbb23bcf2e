"""The service as a process of its own on loopback, with its default settings."""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server_process import ServerProcess, free_port, server_process

__all__ = ["service_process"]


@contextmanager
def service_process(
    models_dir: Path, model: str, *, cpus: Collection[int] = (), checkout: Path | None = None
) -> Iterator[ServerProcess]:
    """Start the service and wait until it is ready; it ends with the block.

    ``cpus``: the only ones it may use. ``checkout``: the service of another version, installed in its ``.venv``.

    Raises:
        RuntimeError: it ended, or was not ready in time; its log says why.
    """
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
    settings = {"ECG_PORT": str(port), "ECG_MODELS_DIR": str(models_dir), "ECG_DEFAULT_MODEL": model}
    confined = ["taskset", "--cpu-list", ",".join(map(str, cpus))] if cpus else []
    python = sys.executable if checkout is None else checkout / ".venv/bin/python"
    command = [*confined, python, "-m", "service"]
    with server_process(command, {**inherited, **settings}, port=port, folder=checkout) as server:
        yield server
