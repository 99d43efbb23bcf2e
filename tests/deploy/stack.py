"""docker-compose.yml, brought up on a real engine beside whatever else runs there, as its operator does it."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from benchmarks.server_process import free_port
from tests.conftest import REPOSITORY

__all__ = ["Stack", "built_images", "docker", "running_stack"]

DOCKER = shutil.which("docker") or "docker"
BUILD_LIMIT_S = 1500
START_LIMIT_S = 300
REQUEST_LIMIT_S = 60.0


def docker(*arguments: str, limit_s: float = 120, **variables: str) -> str:
    """What a docker command says on stdout; the test fails where the command does."""
    return _docker(arguments, limit_s, variables).stdout


def _docker(arguments: Sequence[str], limit_s: float, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [DOCKER, *arguments],
        cwd=REPOSITORY,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


class Stack:
    """A compose project of its own name, on ports of its own."""

    def __init__(self, image_prefix: str, files: Sequence[str] = (), **variables: str) -> None:
        self.project = f"ecg-test-{uuid.uuid4().hex[:8]}"
        self.port, self.metrics_port = free_port(), free_port()
        self.files = [word for file in ("docker-compose.yml", *files) for word in ("-f", file)]
        ports = {"SERVICE_PORT": str(self.port), "METRICS_PORT": str(self.metrics_port)}
        self.variables = {"IMAGE_PREFIX": image_prefix, **ports, **variables}
        self.url = f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, limit_s: float = 120) -> str:
        """Run a docker compose command in this project."""
        return self._compose(arguments, limit_s).stdout

    def up(self) -> None:
        """Start the service, and what ``COMPOSE_PROFILES`` names, and wait until they are healthy."""
        self.compose("up", "-d", "--wait", "--no-build", limit_s=START_LIMIT_S)

    def new_key(self, key_id: str) -> tuple[str, str]:
        """Make a key: its line for the file, and the key."""
        made = self._compose(("run", "--rm", "-T", "--no-deps", "service", "service.auth.keys", "new", key_id))
        return made.stdout, made.stderr.split()[-1]

    def client(self) -> httpx.Client:
        """A client of the published port."""
        return httpx.Client(base_url=self.url, timeout=REQUEST_LIMIT_S)

    def inside(self, program: str) -> str:
        """What a Python program says that runs in the service's container."""
        return self.compose("exec", "-T", "service", "python", "-c", program)

    def state(self, name: str = "service") -> dict[str, Any]:
        """What the engine knows of a container."""
        container = self.compose("ps", "-aq", name).strip()
        (state,) = json.loads(docker("inspect", container))
        return dict(state)

    def audit(self) -> list[dict[str, Any]]:
        """Every line of the audit."""
        program = "import pathlib; print(*(p.read_text() for p in sorted(pathlib.Path('/audit').glob('*.jsonl'))))"
        return [json.loads(line) for line in self.inside(program).splitlines() if line.strip()]

    def _compose(self, arguments: Sequence[str], limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        return _docker(("compose", "-p", self.project, *self.files, *arguments), limit_s, self.variables)


@contextmanager
def built_images(*names: str, files: Sequence[str] = ()) -> Iterator[str]:
    """Images of this checkout, under a prefix that no one else uses; with the block, they go."""
    prefix = f"ecg-test-{uuid.uuid4().hex[:8]}"
    try:
        Stack(prefix, files, REVISION="of-the-tests").compose("--profile", "*", "build", *names, limit_s=BUILD_LIMIT_S)
        yield prefix
    finally:
        built = docker("image", "ls", "-q", "--filter", f"reference={prefix}/*").split()
        docker("image", "rm", "-f", *built) if built else None


@contextmanager
def running_stack(image_prefix: str, files: Sequence[str] = (), **variables: str) -> Iterator[Stack]:
    """A healthy service; with the block, the project goes, its volumes too."""
    stack = Stack(image_prefix, files, **variables)
    try:
        stack.up()
        yield stack
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "5")
