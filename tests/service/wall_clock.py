"""The service with a wall clock that jumps: as far from the true time as a file says, in seconds.

Run as a program (``-m tests.service.wall_clock FILE``). The monotonic clock is left alone, as it is where an operator
or NTP sets the time. Only what asks through Python is told another time; nothing in the process asks by another way.
"""

import datetime as dt
import runpy
import sys
import time
from pathlib import Path

__all__ = ["WallClock"]

_TRUE_TIME = time.time


class WallClock:
    """What a test sets the clock with."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)
        self.arguments = ("-m", "tests.service.wall_clock", str(file))
        """For the interpreter: the service with this clock."""

    def set(self, ahead_s: int) -> None:
        """Let the clock be this many seconds ahead from now on, or behind."""
        new = self._file.with_suffix(".new")
        new.write_text(str(ahead_s))
        new.replace(self._file)

    @staticmethod
    def is_ahead(told: dt.datetime, ahead_s: int) -> bool:
        """Whether a time was told by a clock so far ahead, a minute more or less."""
        return abs(told.timestamp() - _TRUE_TIME() - ahead_s) < 60


def _install(file: Path) -> None:
    def ahead_s() -> int:
        return int(file.read_text())

    class Datetime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Datetime":
            return super().now(tz) + dt.timedelta(seconds=ahead_s())

    time.time = lambda: _TRUE_TIME() + ahead_s()
    dt.datetime = Datetime  # type: ignore[misc]


if __name__ == "__main__":
    _install(Path(sys.argv[1]))
    sys.argv = ["service"]
    runpy.run_module("service", run_name="__main__", alter_sys=True)
