"""The files of the audit: append-only JSON lines, each whole or absent."""

import errno
import fcntl
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple

from service import __version__
from service.errors import StartupError

__all__ = ["SCHEMA", "AuditFiles", "Predecessor", "audit_line"]

SCHEMA = 1
"""Increases when a field disappears or changes its meaning."""

Ending = Literal["closed", "killed", "torn"]

_NAME = re.compile(r"audit-(\d{8,})\.jsonl")
_MODE = 0o640
_TAIL_BYTES = 2**16


class Predecessor(NamedTuple):
    """The previous file: closed, without its closing line, or with half a line."""

    file: str
    end: Ending


def audit_line(kind: str, fields: Mapping[str, object]) -> bytes:
    """Make one line with the current time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"schema": SCHEMA, "type": kind, "time": now, **fields}, allow_nan=False).encode() + b"\n"


class AuditFiles:
    """The audit of one process in one folder."""

    def __init__(self, folder: Path, file_bytes: int = 64 * 2**20) -> None:
        """Make and lock the folder; raise `StartupError` if that fails."""
        self._folder = folder
        self._folder_fd = _take(folder)
        self._file_bytes = file_bytes
        self._fd: int | None = None
        self._size_bytes = 0
        numbers = [int(found[1]) for found in (_NAME.fullmatch(file.name) for file in folder.iterdir()) if found]
        self._number = max(numbers, default=0)
        self.predecessor = self._look_back()

    def append(self, lines: Sequence[bytes]) -> int:
        """Write and sync as many lines as fit, at least one; return how many. After `OSError`, none is written."""
        if self._size_bytes and self._size_bytes + len(lines[0]) > self._file_bytes:
            self.end_file()
        if self._fd is None:
            self._begin_file()
        first = [] if self._size_bytes else [audit_line("open", self._introduction())]
        room_bytes = self._file_bytes - self._size_bytes
        count = max(1, sum(end <= room_bytes for end in accumulate(map(len, lines))))
        self._write(b"".join([*first, *lines[:count]]))
        return count

    def end_file(self) -> None:
        """Write the closing line; `OSError` leaves the file as it was."""
        if self._fd is None:
            return
        self._write(audit_line("close", {}))
        self._let_go("closed")

    def close(self) -> None:
        """Release the folder."""
        if self._fd is not None:
            self._let_go("killed")
        os.close(self._folder_fd)

    def _begin_file(self) -> None:
        # First: a name that fails must not be tried again.
        self._number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._folder / _name(self._number), flags, _MODE)
        os.fsync(self._folder_fd)

    def _introduction(self) -> dict[str, object]:
        return {"service": __version__, "previous": None if self.predecessor is None else self.predecessor._asdict()}

    def _write(self, data: bytes) -> None:
        if self._fd is None:
            raise ValueError("no file is open")
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError:
            self._undo(self._fd)
            raise
        self._size_bytes += len(data)

    def _undo(self, fd: int) -> None:
        """Cut off a partial line, which works on a full disk too."""
        try:
            os.ftruncate(fd, self._size_bytes)
        except OSError:
            self._let_go("torn")

    def _let_go(self, end: Ending) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._size_bytes = None, 0
        self.predecessor = Predecessor(_name(self._number), end)

    def _look_back(self) -> Predecessor | None:
        if not self._number:
            return None
        name = _name(self._number)
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                return Predecessor(name, _ending(file.read()))
        except OSError:
            return Predecessor(name, "torn")


def _take(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _locked(folder)
    except BlockingIOError as error:
        raise StartupError("ECG_AUDIT_DIR is another process's. Give each process a folder of its own.") from error
    except OSError as error:
        raise StartupError(f"ECG_AUDIT_DIR cannot be used: {error.strerror}.") from error


def _locked(folder: Path) -> int:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel releases it with the process
    except OSError:
        os.close(fd)
        raise
    return fd


def _name(number: int) -> str:
    return f"audit-{number:08d}.jsonl"


def _ending(tail: bytes) -> Ending:
    if not tail:
        return "killed"
    try:
        last = json.loads(tail.removesuffix(b"\n").rpartition(b"\n")[2])
    except ValueError:
        return "torn"
    if not tail.endswith(b"\n"):
        return "torn"
    return "closed" if last.get("type") == "close" else "killed"
