"""A limit on open connections: an idle one, or one whose client does not read, makes room for a new one.

Without it, the process runs out of file descriptors and accepts nothing, not even probes. Not thread-safe: for the
event loop only.
"""

import resource
from collections import OrderedDict
from typing import Protocol

__all__ = ["ACCEPTED_AT_ONCE", "BACKLOG", "Connection", "Connections", "connections_within"]

BACKLOG = 256
"""Connections that the kernel may hold until they are accepted."""
ACCEPTED_AT_ONCE = 16
"""Connections accepted in one turn of the event loop. Up to three turns of them are open beyond the limit."""


class Connection(Protocol):
    """A client's connection."""

    @property
    def is_waiting(self) -> bool:
        """Whether the service works on no request of it, or its client does not read the response."""

    def close(self) -> None:
        """Close it at once, and drop what its client has not read yet."""


class Connections:
    """Room for ``places`` connections. When there is none, the one that has waited longest for a request is closed."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._open: OrderedDict[Connection, None] = OrderedDict()
        """In the order of their last response, or of their opening: a byte now and then changes nothing."""
        self.given_up_count = 0
        """How many were closed to make room."""

    @property
    def count(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Count a new connection. If the service works for all others, it is closed itself."""
        self._open[connection] = None
        if len(self._open) > self._places:
            longest = next(one for one in self._open if one.is_waiting)
            self.leave(longest)
            longest.close()
            self.given_up_count += 1

    def answered(self, connection: Connection) -> None:
        """Note that a request was answered."""
        if connection in self._open:
            self._open.move_to_end(connection)

    def leave(self, connection: Connection) -> None:
        """Stop counting a connection."""
        self._open.pop(connection, None)


def connections_within(wanted: int) -> Connections:
    """Return room for ``wanted`` connections, or for half as many as the files that this process may open.

    Half, because some are accepted before others are closed, and other files are open as well. The soft limit on open
    files is raised as far as needed and allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Connections(wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 2))
