"""Fixtures of the tests that need a Docker engine: `make test-deploy` runs them."""

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.deploy.stack import BUILD_LIMIT_S, DOCKER, Stack, docker, running_stack

IMAGES = ("service", "trainer")


@pytest.fixture(scope="session")
def engine() -> None:
    """An engine with compose; its absence skips, and fails where CI runs."""
    for command in ("info", "compose version"):
        if subprocess.run([DOCKER, *command.split()], capture_output=True, check=False).returncode:
            message = f"NEEDS A DOCKER ENGINE WITH COMPOSE 2: `docker {command}` fails here"
            pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="session")
def image_prefix(engine: None) -> Iterator[str]:  # noqa: ARG001 - there has to be one
    """Both images, built from this checkout under names that no one else uses."""
    prefix = f"ecg-test-{uuid.uuid4().hex[:8]}"
    stack = Stack(prefix, REVISION="of-the-tests")
    try:
        stack.compose("--profile", "train", "build", *IMAGES, limit_s=BUILD_LIMIT_S)
        yield prefix
    finally:
        built = docker("image", "ls", "-q", "--filter", f"reference={prefix}/*").split()
        docker("image", "rm", "-f", *built) if built else None


@pytest.fixture(scope="session")
def stack(image_prefix: str) -> Iterator[Stack]:
    """The service as `docker compose up` starts it, with the shipped models."""
    with running_stack(image_prefix) as stack:
        yield stack
