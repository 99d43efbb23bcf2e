"""A process that reads a hostile file may crash, be killed or run away: the file is refused."""

from pathlib import Path

import pytest

from shared_preproc.errors import UnsupportedFormatError
from sources.disposable import Limits, run_disposable

LIMITS = Limits(cpu_s=1, address_space_bytes=256 * 2**20)


def run(folder: Path, script: str, data: bytes = b"") -> tuple[dict[str, object], bytes]:
    path = folder / "script.py"
    path.write_text(f"import os, signal, sys\n{script}\n")
    return run_disposable(path, data, what="a file", limits=LIMITS)


@pytest.mark.parametrize(
    "script",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.abort()",
        "sys.exit(1)",
        "bytearray(2**29)",
        "while True: pass",
    ],
)
def test_crash_and_runaway_are_a_refusal(tmp_path: Path, script: str) -> None:
    with pytest.raises(UnsupportedFormatError, match="a file that cannot be read within 1 s"):
        run(tmp_path, script, data=bytes(2**20))


def test_answer_and_its_bytes_come_back(tmp_path: Path) -> None:
    script = "sys.stdout.buffer.write(b'{\"size\": 3}\\n' + sys.stdin.buffer.read())"
    assert run(tmp_path, script, b"a\nb") == ({"size": 3}, b"a\nb")


def test_script_sees_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_SECRET", "secret")
    _, names = run(tmp_path, "print('{}'); print(*os.environ)")
    assert b"ECG_SECRET" not in names
