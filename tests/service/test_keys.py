"""API keys: how one is made and recognised, and the file of them as it changes."""

import hashlib
import hmac
import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.auth.keys import ApiKeys, KeyFile, KeysFormatError, main, new_key
from service.errors import StartupError
from tests.conftest import REPOSITORY
from tests.service.serving import problem, serving, settings_for, wait_until

KEY, LINE = new_key("pacs")
OTHER_KEY, OTHER_LINE = new_key("viewer")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_command_prints_line_to_stdout_and_key_to_stderr() -> None:
    command = [sys.executable, "-W", "error", "-m", "service.auth.keys", "new", "pacs"]
    made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    key = made.stderr.splitlines()[-1]
    assert re.fullmatch(r"ecg_[A-Za-z0-9_-]{43}", key)
    assert made.stdout == f"pacs:{hashlib.sha256(key.encode()).hexdigest()}\n"
    assert key not in made.stdout
    assert ApiKeys.parse(made.stdout).id_of(key) == "pacs"


@pytest.mark.parametrize("key_id", ["", "Jane Doe", "a:b", "x" * 65, "oidc:1", "ä"])
def test_ids_that_would_not_be_one_word_in_the_log_are_refused(key_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["new", key_id])
    assert ended.value.code == 2
    assert "an id has 1 to 64" in capsys.readouterr().err


def test_no_two_keys_are_the_same() -> None:
    assert len({new_key("pacs")[0] for _ in range(100)}) == 100


def test_two_keys_of_one_id_are_valid_at_once() -> None:
    new, new_line = new_key("pacs")
    keys = ApiKeys.parse(f"# archive\n{LINE}\n\n  {new_line}\r\n{OTHER_LINE}")
    assert [keys.id_of(key) for key in (KEY, new, OTHER_KEY, LINE, "")] == ["pacs", "pacs", "viewer", None, None]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (KEY, "line 1 is not"),
        (f"{LINE}\n{OTHER_LINE[:-1]}", "line 2 is not"),
        (LINE.upper(), "line 1 is not"),
        (f"{LINE}\n{LINE}", "a key is there twice"),
        (f"{LINE}\nother:{LINE.partition(':')[2]}", "a key is there twice"),
        ("\n".join(new_key("pacs")[1] for _ in range(3)), "more than 2 keys"),
    ],
    ids=["a key", "a short line", "capitals", "twice", "twice by another name", "three of one id"],
)
def test_malformed_lists_are_refused_without_being_quoted(text: str, complaint: str) -> None:
    with pytest.raises(KeysFormatError, match=complaint) as refused:
        ApiKeys.parse(text)
    assert not any(word in str(refused.value) for word in re.findall(r"[0-9a-zA-Z_-]{20,}", text))


@pytest.mark.parametrize("key", [KEY, OTHER_KEY, "wrong"], ids=["known", "other", "wrong"])
def test_every_key_is_compared_in_constant_time(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare_digest(given: str, known: str) -> bool:
        compared.append(known)
        return given == known

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    keys = ApiKeys.parse(f"{LINE}\n{OTHER_LINE}")
    assert keys.id_of(key) == {KEY: "pacs", OTHER_KEY: "viewer"}.get(key)
    assert compared == [line.partition(":")[2] for line in (LINE, OTHER_LINE)]


@pytest.mark.parametrize(("content", "complaint"), [(None, "cannot be read"), ("", "no key"), ("x", "line 1")])
def test_service_with_a_key_file_needs_keys_to_start(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartupError, match=f"ECG_KEYS_FILE: .*{complaint}"):
        KeyFile(path)


def test_the_file_is_read_again_a_second_later(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "keys"
    path.write_text(LINE)
    file = KeyFile(path, clock)
    path.write_text(OTHER_LINE)
    clock.now += 0.9
    assert (file.id_of(KEY), file.id_of(OTHER_KEY)) == ("pacs", None)
    clock.now += 0.1
    assert (file.id_of(KEY), file.id_of(OTHER_KEY)) == (None, "viewer")
    path.write_text("")
    clock.now += 1
    assert file.id_of(OTHER_KEY) is None, "the last key was withdrawn"


@pytest.mark.parametrize("change", ["malformed", "gone", "too large", "a folder"])
def test_invalid_key_file_keeps_keys_and_warns_once(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock, path = Clock(), tmp_path / "keys"
    path.write_text(LINE)
    file = KeyFile(path, clock)
    path.unlink()
    if change == "a folder":
        path.mkdir()
    elif change != "gone":
        path.write_text("x" if change == "malformed" else f"{OTHER_LINE}\n{' ' * 2**20}")
    for _ in range(3):
        clock.now += 1
        assert (file.id_of(KEY), file.id_of(OTHER_KEY)) == ("pacs", None)
    assert [(one.levelno, one.msg) for one in caplog.records] == [(logging.ERROR, "keys_file_refused")]


def test_rotation_without_a_restart(models_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(LINE)
    new, new_line = new_key("pacs")
    with serving(settings_for(models_dir, keys_file=path)) as client:

        def opens(key: str) -> bool:
            return client.get("/models", headers=bearer(key)).is_success

        assert (opens(KEY), opens(new)) == (True, False)
        path.write_text(f"{LINE}\n{new_line}\n")
        wait_until(lambda: opens(new))
        assert opens(KEY)
        path.write_text(new_line)
        wait_until(lambda: not opens(KEY))
        assert opens(new)
        problem(client.get("/models", headers=bearer(KEY)), 401, "unauthorized")


def bearer(key: str) -> httpx.Headers:
    return httpx.Headers({"Authorization": f"Bearer {key}"})
