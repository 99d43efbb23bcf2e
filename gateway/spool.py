"""The spool: work that survives a crash or a power cut, in one SQLite file.

An ECG is a job for the service; its results are a job for each destination. Finishing a job and adding the next ones
is one transaction, so nothing is lost or made twice. A sent result that was not yet finished is sent again: its UIDs
and ids are stored with it, so that the receiver knows it.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from gateway.errors import StartupError

__all__ = ["Job", "Kind", "Spool"]

Kind = Literal["classify", "dicom", "fhir", "hl7"]

_FILE = "spool.sqlite"
_REMEMBERED_S = 90 * 24 * 3600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, time_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_s REAL NOT NULL DEFAULT 0,
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_kind ON jobs (kind, id);
"""


class Job(NamedTuple):
    """One thing to do: ``key`` names the ECG, ``attempts`` were made before."""

    id: int
    kind: Kind
    key: str
    attempts: int
    data: bytes


class Spool:
    """Jobs in a folder of their own; one gateway at a time. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Open the spool, and forget ECGs that were answered long ago.

        Raises:
            StartupError: the folder cannot be used, or another gateway uses it.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(folder / _FILE, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(folder / _FILE, check_same_thread=False, timeout=1.0)
            # FULL: what was acknowledged is on the disk. secure_delete: no patient's data stay in free pages.
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
            with self._db:
                self._db.execute("DELETE FROM seen WHERE time_s < ?", (time.time() - _REMEMBERED_S,))
        except (OSError, sqlite3.Error) as error:
            reason = f"The spool {folder} cannot be opened: {error}."
            raise StartupError(f"{reason} Give each gateway a folder of its own that it may write.") from error
        self._lock = threading.Lock()

    def add(self, key: str, data: bytes) -> bool:
        """Keep an ECG, durably, before its sender is told so.

        Returns:
            Whether it is new; an ECG that was received before is answered only once.

        Raises:
            sqlite3.Error: the disk is full or broken.
        """
        with self._lock, self._db:
            new = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, time.time())).rowcount == 1
            if new:
                self._insert("classify", key, data)
        return new

    def take(self, kind: Kind) -> Job | None:
        """The oldest job of this kind that is due; it stays in the spool until it is finished."""
        query = "SELECT id, kind, key, attempts, data FROM jobs WHERE kind = ? AND due_s <= ? ORDER BY id LIMIT 1"
        with self._lock:
            row = self._db.execute(query, (kind, time.time())).fetchone()
        return None if row is None else Job(*row)

    def finish(self, job: Job, followers: Iterable[tuple[Kind, bytes]] = ()) -> None:
        """Remove a job and add those that follow from it, all or nothing."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            for kind, data in followers:
                self._insert(kind, job.key, data)

    def postpone(self, job: Job, delay_s: float) -> None:
        """Let a job wait, and count the attempt."""
        with self._lock, self._db:
            update = "UPDATE jobs SET attempts = attempts + 1, due_s = ? WHERE id = ?"
            self._db.execute(update, (time.time() + delay_s, job.id))

    def waiting(self) -> dict[str, int]:
        """How many jobs of each kind there are."""
        with self._lock:
            return dict(self._db.execute("SELECT kind, count(*) FROM jobs GROUP BY kind ORDER BY kind").fetchall())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _insert(self, kind: Kind, key: str, data: bytes) -> None:
        self._db.execute("INSERT INTO jobs (kind, key, data) VALUES (?, ?, ?)", (kind, key, data))
