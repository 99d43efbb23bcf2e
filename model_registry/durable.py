"""Writes that are on the disk when they return."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["claim_folder", "replace_file", "scratch_folder", "sync_folder", "write_file"]

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def write_file(path: Path, content: bytes) -> None:
    """Write a file where nobody reads yet: a reader could see it half written.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files behind them.

    Raises:
        OSError: the folder cannot be opened or synchronised.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put new content in place at once: a reader sees the old or the new, never a part.

    Raises:
        OSError: the file cannot be written.
    """
    scratch = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        write_file(scratch, content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder to build something in and then claim a name with; whatever is left of it is removed.

    It is on its parent's file system, where a rename is atomic, and readable for other users, unlike tempfile's.

    Raises:
        OSError: the folder cannot be made.
    """
    scratch = parent / f".scratch-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def claim_folder(scratch: Path, target: Path) -> bool:
    """Move a finished folder to its name, or learn that the name is taken.

    A rename cannot replace a folder that holds something, so of two processes exactly one succeeds, without any lock.

    Raises:
        OSError: the folder cannot be moved there at all.
    """
    target.parent.mkdir(exist_ok=True)
    try:
        scratch.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    sync_folder(target.parent)
    return True
