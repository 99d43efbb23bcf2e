"""The audit: who got which answer, when and from which model.

A thread writes and syncs records in batches. Records that the disk rejects wait in a queue. When it is full, new ones
are lost and counted, or pages refused if the audit is required.
"""

import errno
import logging
from collections import deque
from collections.abc import Mapping
from itertools import islice
from threading import Condition, Thread

from service.audit_files import AuditFiles, audit_line
from service.errors import AuditUnavailableError, StartupError
from service.settings import Settings

__all__ = ["AuditLog", "open_audit"]

_CLOSE_S = 5.0

logger = logging.getLogger(__name__)


def open_audit(settings: Settings) -> "AuditLog | None":
    """Open the audit if the settings ask for one, or raise `StartupError`."""
    if settings.audit_dir is not None:
        return AuditLog(AuditFiles(settings.audit_dir), settings)
    if settings.audit_required:
        raise StartupError("ECG_AUDIT_REQUIRED is set, but no ECG_AUDIT_DIR to write to.")
    return None


class AuditLog:
    """The queue and its thread."""

    def __init__(self, files: AuditFiles, settings: Settings) -> None:
        self._files = files
        self._required = settings.audit_required
        self._interval_s = settings.audit_sync_interval_s
        self._capacity = settings.audit_queue_records
        self._pending: deque[bytes] = deque()
        self._changed = Condition()
        self._closing = False
        self._problem: str | None = None
        self._thread = Thread(target=self._run, name="audit", daemon=True)
        self._lost_unlogged = 0
        self._lost_unwritten = 0
        self.written_count = 0
        self.lost_count = 0
        self.unclean_start = False

    @property
    def failing(self) -> bool:
        """Whether the disk rejects records, or is too slow."""
        return self._problem is not None or not self._thread.is_alive() or self.pending_count >= self._capacity

    @property
    def pending_count(self) -> int:
        """Records that are not on disk yet."""
        return len(self._pending)

    def start(self) -> None:
        """Start the thread; log if the previous run was killed."""
        before = self._files.predecessor
        if before is not None and before.end != "closed":
            self.unclean_start = True
            logger.warning("audit_not_closed", extra={"fields": {"last_file": before.file, "ended": before.end}})
        self._thread.start()

    def check(self) -> None:
        """Raise `AuditUnavailableError` if the audit is required and fails."""
        if self._required and self.failing:
            raise AuditUnavailableError

    def record(self, fields: Mapping[str, object]) -> None:
        """Queue one record; raise `AuditUnavailableError` if the audit is required and full."""
        line = audit_line("answer", fields)
        with self._changed:
            if len(self._pending) < self._capacity:
                self._pending.append(line)
                return
            if not self._required:
                self._count_lost(1)
        self.check()

    def close(self) -> None:
        """Write the last records, and log lost ones."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            logger.error("audit_lost", extra={"fields": {"records": self.pending_count, "problem": "the disk hangs"}})
        else:
            self._files.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                closing = self._changed.wait_for(lambda: self._closing, self._interval_s)
            self._write(closing=closing)
            self._tell_lost()

    def _write(self, *, closing: bool) -> None:
        try:
            self._drain()
            self._write_lost()
            if closing:
                self._files.end_file()
        except OSError as error:
            self._note_problem(errno.errorcode.get(error.errno or 0, type(error).__name__))
        else:
            self._note_recovery()
        if closing:
            with self._changed:
                self._count_lost(len(self._pending))
                self._pending.clear()

    def _drain(self) -> None:
        while batch := self._batch():
            count = self._files.append(batch)
            with self._changed:
                for _ in range(count):
                    self._pending.popleft()
            self.written_count += count

    def _write_lost(self) -> None:
        with self._changed:
            count = self._lost_unwritten
        if count:
            self._files.append([audit_line("lost", {"records": count})])
            with self._changed:
                self._lost_unwritten -= count

    def _batch(self) -> list[bytes]:
        with self._changed:
            return list(islice(self._pending, self._capacity))

    def _count_lost(self, count: int) -> None:
        self.lost_count += count
        self._lost_unlogged += count
        self._lost_unwritten += count

    def _tell_lost(self) -> None:
        with self._changed:
            count, self._lost_unlogged = self._lost_unlogged, 0
        if count:
            logger.error("audit_lost", extra={"fields": {"records": count}})

    def _note_problem(self, problem: str) -> None:
        if problem != self._problem:
            logger.error("audit_failing", extra={"fields": {"problem": problem, "pending": self.pending_count}})
        self._problem = problem

    def _note_recovery(self) -> None:
        if self._problem is not None:
            logger.warning("audit_recovered", extra={"fields": {"written": self.written_count}})
        self._problem = None
