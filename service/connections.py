"""Limit open connections, so that the process never runs out of file descriptors.

At the limit, the service closes an idle connection, or one whose client does not read, for a new one. Not thread-safe:
for the event loop only.
"""

import resource
from collections import OrderedDict
from typing import Protocol

__all__ = ["ACCEPTED_AT_ONCE", "BACKLOG", "Connection", "Connections", "connections_within"]

BACKLOG = 256
"""Connections that wait in the kernel."""
ACCEPTED_AT_ONCE = 16
"""Connections accepted in one turn of the event loop; three times as many can exceed the limit."""


class Connection(Protocol):
    """A client's connection."""

    @property
    def is_waiting(self) -> bool:
        """Whether it has no request in work, or its client does not read the response."""

    def close(self) -> None:
        """Close it at once, and drop unread data."""


class Connections:
    """Room for ``places`` connections; a new one beyond that closes the one that has waited longest."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._open: OrderedDict[Connection, None] = OrderedDict()
        """In the order of the last response, or of the opening."""
        self.given_up_count = 0
        """Connections closed to make room."""

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Count a new connection; close the new one itself if all others have requests in work."""
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
    """Return room for ``wanted`` connections, or for half the files that this process may open if that is less.

    The other half is for connections beyond the limit and other files. Raises the soft limit on open files if needed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Connections(wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // 2))
