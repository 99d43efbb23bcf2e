"""What is written in two pieces leaves in one: an answer's head and its body. Knows no HTTP.

uvicorn writes each by itself, and asyncio sends what it is given at once: the kernel is gone through twice, and the
client woken twice.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["JoinedWrites"]

_Bytes = bytes | bytearray | memoryview


class JoinedWrites(asyncio.Transport):
    """A transport in front of another one: it holds what is written until more is, or this turn of the loop is over."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: _Bytes = b""

    def write(self, data: _Bytes) -> None:
        """Send ``data``, behind what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif self._transport.is_closing():  # it may be closed before this turn is over, and what is held be lost
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._send_held)

    def writelines(self, list_of_data: Iterable[_Bytes]) -> None:
        """Send all of it, which is in one piece already, behind what is held."""
        held, self._held = self._held, b""
        self._transport.writelines((held, *list_of_data))

    def close(self) -> None:
        """Send what is held, and then close."""
        self._send_held()
        self._transport.close()
        # It stays open until all is read, which may be never: `pause_writing` tells the protocol that something waits.
        self._transport.set_write_buffer_limits(0)

    def abort(self) -> None:
        """Close at once, whatever is held."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Say whether it is closed, or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as in asyncio
        """Give what is known about the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def _send_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
