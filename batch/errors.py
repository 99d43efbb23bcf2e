"""What ends a command early, and the exit code that it ends with.

BatchError
+-- InputError        2: INPUT, a list or a setting cannot be used
+-- StorageError      3: a folder or bucket cannot be read or written
+-- OtherRunError     4: OUTPUT belongs to another archive, model or format
+-- WorkerError       5: worker processes die and no chunk gets done
"""

from typing import ClassVar

__all__ = ["PAGES_FAILED", "BatchError", "InputError", "OtherRunError", "StorageError", "WorkerError"]

PAGES_FAILED = 6
"""Exit code of a command that completed, with pages that could not be read."""


class BatchError(Exception):
    """A command cannot go on; the message is one line: what happened, what was expected, what to do."""

    exit_code: ClassVar[int]


class InputError(BatchError):
    """INPUT, a list or a setting cannot be used."""

    exit_code = 2


class StorageError(BatchError):
    """A folder or bucket cannot be read or written."""

    exit_code = 3


class OtherRunError(BatchError):
    """OUTPUT belongs to another archive, model or format."""

    exit_code = 4


class WorkerError(BatchError):
    """Worker processes die and no chunk gets done."""

    exit_code = 5
