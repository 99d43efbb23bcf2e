"""With docker/keys.yml only who holds a key gets in, and keys change without a restart."""

import time
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.deploy.stack import Stack, running_stack
from tests.factories import page_jpeg

pytestmark = pytest.mark.engine

IN_FORCE_S = 5.0


def status(stack: Stack, key: str | None) -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with stack.client() as client:
        return client.post("/classify", files={"file": page_jpeg()}, headers=headers).status_code


def becomes(stack: Stack, key: str, wanted: int) -> bool:
    end = time.monotonic() + IN_FORCE_S
    while (got := status(stack, key)) != wanted and time.monotonic() < end:
        time.sleep(0.2)
    return got == wanted


def test_a_key_opens_until_it_is_withdrawn(stack: Stack, image_prefix: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    lines, secrets = zip(*(stack.new_key("pacs") for _ in range(2)), strict=True)
    keys.write_text(lines[0])
    tmp_path.chmod(0o755)  # the container's user has to read it
    with running_stack(image_prefix, ["docker/keys.yml"], SECRETS=str(tmp_path)) as locked:
        assert status(locked, None) == status(locked, secrets[1]) == HTTPStatus.UNAUTHORIZED
        assert status(locked, secrets[0]) == HTTPStatus.OK
        with keys.open("a") as file:
            file.write(lines[1])
        assert becomes(locked, secrets[1], HTTPStatus.OK)
        assert status(locked, secrets[0]) == HTTPStatus.OK
        # As an editor does it: another file under the same name.
        (tmp_path / "changed").write_text(lines[1])
        (tmp_path / "changed").rename(keys)
        assert becomes(locked, secrets[0], HTTPStatus.UNAUTHORIZED)
        assert status(locked, secrets[1]) == HTTPStatus.OK
