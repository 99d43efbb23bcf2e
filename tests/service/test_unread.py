"""What lies with the kernel: dropped to the byte, and told of when enough is there."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from service.unread import Unread
from tests.service.serving import wait_until


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            yield client, server


class Lending(asyncio.Transport):
    """A transport that lends its socket, and nothing else."""

    def __init__(self, lent: socket.socket) -> None:
        super().__init__({"socket": lent})


def unread_of(server: socket.socket, buffer_bytes: int) -> Unread:
    return Unread(Lending(server), memoryview(bytearray(buffer_bytes)))


def lie_there(server: socket.socket, size_bytes: int) -> Callable[[], bool]:
    def enough() -> bool:
        try:
            return len(server.recv(size_bytes, socket.MSG_PEEK)) == size_bytes
        except BlockingIOError:
            return False

    return enough


@pytest.mark.parametrize("buffer_bytes", [7, 1000, 4096])
def test_no_byte_beyond_is_dropped(buffer_bytes: int) -> None:
    with connected() as (client, server):
        unread = unread_of(server, buffer_bytes)
        client.sendall(bytes(50) + b"the next")
        wait_until(lie_there(server, 58))
        assert unread.drop(50) == 50
        assert server.recv(100) == b"the next"
        unread.end()


def test_what_is_not_there_yet_is_not_waited_for() -> None:
    with connected() as (client, server):
        unread = unread_of(server, 4096)
        assert unread.drop(50) == 0
        client.sendall(bytes(20))
        wait_until(lie_there(server, 20))
        assert (unread.drop(50), unread.drop(30)) == (20, 0)
        client.close()
        assert unread.drop(30) == 0
        unread.end()


def test_in_one_turn_only_so_much_is_dropped() -> None:
    with connected() as (client, server):
        unread = unread_of(server, 10)
        client.sendall(bytes(1000))
        wait_until(lie_there(server, 1000))
        assert unread.drop(1000) == 80
        unread.end()


def test_the_socket_stays_its_owners() -> None:
    with connected() as (client, server):
        unread = unread_of(server, 10)
        unread.wake_at(5)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 5
        unread.end()
        del unread
        client.sendall(b"here")
        server.setblocking(True)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        assert server.recv(10) == b"here"
