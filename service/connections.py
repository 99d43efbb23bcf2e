"""Open connections: how many there may be, and which one makes room for the next. Knows no HTTP.

Without a limit of ours, the system's on open files is the limit: then nothing is accepted any more, no probe and no
metrics either, and asyncio logs thousands of tracebacks a second. Only for the event loop's own thread.
"""

import resource
from collections import OrderedDict
from typing import Protocol

__all__ = ["ACCEPTED_AT_ONCE", "BACKLOG", "Connection", "Connections", "connections_within"]

BACKLOG = 256
"""Connections that the system may hold until they are accepted."""
ACCEPTED_AT_ONCE = 16
"""Connections accepted in one turn of the event loop.

Three turns pass until the first of them has closed the one it takes the place of: so many are open beyond the limit.
"""


class Connection(Protocol):
    """A client's connection."""

    @property
    def is_waiting(self) -> bool:
        """Whether no request of it is being answered."""

    def close(self) -> None:
        """End it at once, whatever its client has not read yet."""


class Connections:
    """Room for ``places`` connections. When there is none, the one that has waited longest for a request goes."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._open: OrderedDict[Connection, None] = OrderedDict()
        """Those that were answered, or opened, longest ago first: bytes that trickle make none younger."""
        self.given_up_count = 0
        """Those that were closed to make room."""

    @property
    def count(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Count a new connection, which is closed itself where every other is being answered."""
        self._open[connection] = None
        if len(self._open) > self._places:
            longest = next(one for one in self._open if one.is_waiting)
            self.leave(longest)
            longest.close()
            self.given_up_count += 1

    def answered(self, connection: Connection) -> None:
        """Tell that a request was answered, and another one may come."""
        if connection in self._open:
            self._open.move_to_end(connection)

    def leave(self, connection: Connection) -> None:
        """Count a connection that is closed no more."""
        self._open.pop(connection, None)


def connections_within(wanted: int) -> Connections:
    """Room for ``wanted`` connections, or for fewer where this process must not open twice as many files.

    Twice, because some are accepted before others are closed, and for what else is open. The limit is raised as far as
    that takes and the system lets it be.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Connections(wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 2))
