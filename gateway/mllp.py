"""HL7 version 2 messages over MLLP, each with its acknowledgement. Source: HL7 v2.5.1, 2.9, and MLLP release 1."""

import socket

from gateway.errors import RejectedError, UnreachableError

__all__ = ["send_hl7"]

_START, _END = b"\x0b", b"\x1c\r"
_MOST_BYTES = 65536
_ACCEPTED = {b"AA", b"CA"}
_CONTROL_ID = 9  # of MSH, split at the separator, as MSH-1 is the separator itself


def send_hl7(message: bytes, address: tuple[str, int], timeout_s: float = 15.0) -> None:
    """Send one message and wait until the receiver accepts it.

    Each message has a connection of its own, so no late acknowledgement can be taken for another message's.

    Raises:
        UnreachableError: no connection, no answer in time, or the connection ends before the answer.
        RejectedError: the receiver answers with an error, a rejection, or not about this message.
    """
    try:
        with socket.create_connection(address, timeout_s) as connection:
            connection.sendall(_START + message + _END)
            answer = _received(connection)
    except OSError as error:
        raise UnreachableError(f"the HL7 receiver does not answer: {type(error).__name__}") from error
    segments = [segment.split(b"|") for segment in answer.split(b"\r")]
    acknowledgement = next((fields for fields in segments if fields[0] == b"MSA" and len(fields) > 2), None)  # noqa: PLR2004
    if acknowledgement is None:
        raise RejectedError("the HL7 receiver answers without an acknowledgement")
    if acknowledgement[1] not in _ACCEPTED:
        code = acknowledgement[1].decode("ascii", "replace")
        raise RejectedError(f"the HL7 receiver answers {code if code.isalpha() else 'an unknown code'}")
    if acknowledgement[2] != message.split(b"|", _CONTROL_ID + 1)[_CONTROL_ID]:
        raise RejectedError("the HL7 receiver acknowledges another message")


def _received(connection: socket.socket) -> bytes:
    data = b""
    while _END not in data:
        more = connection.recv(4096)
        if not more or len(data) > _MOST_BYTES:
            raise ConnectionAbortedError
        data += more
    return data.lstrip(_START).partition(_END)[0]
