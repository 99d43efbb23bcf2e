"""Runs the spool's jobs, one thread for each kind, so that a failed peer delays only its own."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping

from gateway.errors import DeliveryError, UnreachableError
from gateway.log import log
from gateway.spool import Job, Kind, Spool

__all__ = ["Handler", "Worker"]

Handler = Callable[[Job], Iterable[tuple[Kind, bytes]] | None]
"""Do one job and give those that follow from it, if any, or raise a `DeliveryError`."""

_POLL_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LONGEST_DELAY_S = 300.0


class Worker:
    """Runs ``handlers`` on the jobs of their kinds, oldest first, until each is done."""

    def __init__(self, spool: Spool, handlers: Mapping[Kind, Handler]) -> None:
        """Start the threads."""
        self._spool, self._stopping = spool, threading.Event()
        self._wakers = {kind: threading.Event() for kind in handlers}
        self._threads = [threading.Thread(target=self._run, args=pair) for pair in handlers.items()]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for work now."""
        for waker in self._wakers.values():
            waker.set()

    def stop(self) -> None:
        """Finish the jobs in hand and end the threads; what is left stays in the spool."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def _run(self, kind: Kind, handler: Handler) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wakers[kind].clear()
            try:
                job = self._spool.take(kind)
                if job is None:
                    self._wakers[kind].wait(_POLL_S)
                elif self._do(job, handler, failures):
                    failures = 0
                    self.wake()
                else:
                    failures += 1
            except sqlite3.Error as error:
                log("spool_fails", level=logging.ERROR, kind=kind, reason=type(error).__name__)
                self._stopping.wait(_LONGEST_PAUSE_S if failures else _POLL_S)
                failures += 1

    def _do(self, job: Job, handler: Handler, failures: int) -> bool:
        """Do a job, and say whether its peer is there; the one job may have failed all the same.

        Raises:
            sqlite3.Error: the disk is full or broken; the job stays as it is.
        """
        try:
            self._spool.finish(job, handler(job) or ())
        except UnreachableError as error:
            pause_s = min(error.retry_after_s or 2.0**failures, _LONGEST_PAUSE_S)
            waiting = {f"waiting_{name}": count for name, count in self._spool.waiting().items()}
            log("waiting", level=logging.WARNING, kind=job.kind, reason=str(error), again_in_s=pause_s, **waiting)
            self._stopping.wait(pause_s)
            return False
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - one ECG must not stop the others
            delay_s = min(2.0**job.attempts, _LONGEST_DELAY_S)
            reason = str(error) if isinstance(error, DeliveryError) else type(error).__name__
            log("failed", level=logging.ERROR, kind=job.kind, ecg=job.key, reason=reason, again_in_s=delay_s)
            self._spool.postpone(job, delay_s)
        return True
