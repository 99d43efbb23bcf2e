"""Fixtures of the tests that need a Docker engine: `make test-deploy` runs them."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.stack import DOCKER, Stack, built_images, running_stack

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
    """The service's image and the trainer's."""
    with built_images(*IMAGES) as prefix:
        yield prefix


@pytest.fixture(scope="session")
def stack(image_prefix: str) -> Iterator[Stack]:
    """The service as `docker compose up` starts it, with the shipped models."""
    with running_stack(image_prefix) as stack:
        yield stack
