"""One connection that never waits, and the latest request on it."""

import socket

from benchmarks.exchange import HOST, MOST_AT_ONCE, Head

__all__ = ["NonblockingClient"]


class NonblockingClient:
    """What is due on a connection to this machine, what is sent of it, and what is here of its answer."""

    __slots__ = ("_received", "_socket", "answer", "due_s", "sent_s", "unsent")

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.connect_ex((HOST, port))  # what comes of it, the first request meets

    def fileno(self) -> int:
        """Its file descriptor, for a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def begin(self, request: bytes, due_s: float, sent_s: float) -> None:
        """Take another request, the one before being sent and answered, and send what can be sent at once.

        Raises:
            OSError: the connection has ended.
        """
        self.due_s, self.sent_s = due_s, sent_s
        self.unsent: bytes | memoryview = request
        self._received = b""
        self.answer: Head | None = None
        self.send()

    def send(self) -> None:
        """Send what the connection takes now.

        Raises:
            OSError: it has ended.
        """
        try:
            taken_bytes = self._socket.send(self.unsent)
        except BlockingIOError:
            return  # it is still being opened
        self.unsent = memoryview(self.unsent)[taken_bytes:] if taken_bytes < len(self.unsent) else b""

    def receive(self) -> None:
        """Receive what is here now; `answer` is set with the last byte of its content.

        Raises:
            OSError: the connection has ended.
            ValueError: the answer has no Content-Length.
        """
        data = self._socket.recv(MOST_AT_ONCE)
        if not data:
            raise ConnectionError("the server has closed it")
        self._received += data
        head, end, content = self._received.partition(b"\r\n\r\n")
        if end:
            answer = Head.of(head)
            self.answer = answer if len(content) >= answer.size_bytes else None
