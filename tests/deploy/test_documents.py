"""What the documents tell an operator to type works, from a clean clone."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.deploy.stack import Stack

pytestmark = pytest.mark.engine

LIMIT_S = 600
DOCUMENTS = ("README.md", "docs/deployment/machine.md")


def commands(document: str) -> list[str]:
    """Every block that is marked as shell: those are run here, one after the other."""
    return re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / document).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", REPOSITORY, folder], check=True)  # noqa: S607 - git is where it is
    return folder


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of(document: str, clone: Path, image_prefix: str) -> None:
    blocks = commands(document)
    stack = Stack(image_prefix)
    ports = {"8000": str(stack.port), "9000": str(stack.metrics_port)}
    script = re.sub(r"(?<=127\.0\.0\.1:)(8000|9000)", lambda match: ports[match[0]], "".join(blocks))
    environment = {**os.environ, **stack.variables, "COMPOSE_PROJECT_NAME": stack.project}
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"umask 022\n{script}"],  # noqa: S607 - as above
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"ok"' in done.stdout
    if document == DOCUMENTS[0]:
        assert "event=default_model" in done.stdout
        assert "ecg_ready 1" in done.stdout
    else:
        assert re.search(r"^ecg_\S+$", done.stderr, re.MULTILINE)
