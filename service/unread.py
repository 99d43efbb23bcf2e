"""What came on a connection and still lies with the kernel: when to be told of it, and how to be rid of it unread.

Knows no HTTP. Each time that a connection has something to read, the event loop is woken, among pages that are worked
on; and each copy of a body goes through the caches that they need.
"""

import asyncio
import socket
from contextlib import suppress

__all__ = ["Unread"]

_MOST_DROPS = 8
"""In one turn of the event loop: a client that sends as fast as this drops would keep it from everyone else."""


class Unread:
    """The unread bytes of one connection; ``buffer`` is only lent."""

    def __init__(self, transport: asyncio.Transport, buffer: memoryview) -> None:
        lent: socket.socket = transport.get_extra_info("socket")
        # asyncio lends it without the call that drops; this is another object for the same file descriptor.
        self._socket = socket.socket(lent.family, lent.type, lent.proto, lent.fileno())
        self._buffer = buffer
        self._wake_bytes = 1

    def end(self) -> None:
        """Leave it to asyncio to close the socket. Nothing may be asked any more."""
        self._socket.detach()

    def wake_at(self, size_bytes: int) -> None:
        """Let the transport be told once so many are there, or the connection has ended (SO_RCVLOWAT, socket(7))."""
        if size_bytes != self._wake_bytes:
            self._wake_bytes = size_bytes
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)

    def drop(self, most_bytes: int) -> int:
        """Have the kernel drop those that are there, and say how many: at most so many (MSG_TRUNC, tcp(7))."""
        dropped_bytes = 0
        with suppress(OSError):  # nothing more is there, or what else there is to tell, who reads next is told
            for _ in range(_MOST_DROPS):
                size_bytes = min(most_bytes - dropped_bytes, len(self._buffer))
                gone_bytes = self._socket.recv_into(self._buffer, size_bytes, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
                dropped_bytes += gone_bytes
                if gone_bytes < size_bytes or dropped_bytes == most_bytes:
                    break
        return dropped_bytes
