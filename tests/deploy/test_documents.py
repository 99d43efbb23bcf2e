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
SIGNS = {
    "README.md": (r"\(healthy\)", "event=default_model model=fusion/5"),
    "docs/deployment/machine.md": ('"status":"ok"', r"^ecg_\S+$"),
}
"""By document, what its commands have to print: the last is a key."""


def commands(document: str) -> list[str]:
    """Every block that is marked as shell: those are run here, one after the other."""
    return re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / document).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", REPOSITORY, folder], check=True)  # noqa: S607 - git is where it is
    return folder


@pytest.mark.parametrize(("document", "signs"), SIGNS.items(), ids=SIGNS)
def test_the_commands_of(document: str, signs: tuple[str, ...], clone: Path, image_prefix: str) -> None:
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
    for sign in signs:
        assert re.search(sign, done.stdout + done.stderr, re.MULTILINE), f"{sign} in {done.stdout}{done.stderr}"
