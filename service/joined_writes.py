"""What is written in two pieces leaves in one: an answer's head and its body. And it arrives. Knows no HTTP.

uvicorn writes each by itself, and asyncio sends what it is given at once: the kernel is gone through twice, and the
client woken twice. Both close while the client still sends: the kernel then resets the connection, and the client, or
the proxy in front, may lose the answer (RFC 9112, 9.6).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["JoinedWrites"]

_Bytes = bytes | bytearray | memoryview


class JoinedWrites(asyncio.Transport):
    """A transport in front of another one: it holds what is written until more is, or this turn of the loop is over.

    ``is_sending`` says whether the client has more to send that was not received.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, is_sending: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._is_sending = is_sending
        self.lingers = False
        """All is said, and what still comes is to be received, until somebody closes at once."""
        self._transport = transport
        self._loop = loop
        self._held: _Bytes = b""

    def write(self, data: _Bytes) -> None:
        """Send ``data``, behind what is held."""
        if self.lingers:
            return
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

    def close(self, *, at_once: bool = False) -> None:
        """Send what is held, and then close: not yet where the client is still sending, unless that does not matter."""
        self._send_held()
        self.lingers = not (at_once or self._transport.is_closing()) and self._is_sending()
        if self.lingers:
            self._transport.write_eof()
        else:
            self._transport.close()
        # It stays open until all is read, which may be never: `pause_writing` tells the protocol that something waits.
        self._transport.set_write_buffer_limits(0)

    def abort(self) -> None:
        """Close at once, whatever is held."""
        self._held, self.lingers = b"", False
        self._transport.abort()

    def is_closing(self) -> bool:
        """Say whether it is closed, or about to be."""
        return self.lingers or self._transport.is_closing()

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
