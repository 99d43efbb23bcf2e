"""HL7 and FHIR receivers that refuse, are silent or hang up: each result arrives once."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.errors import RejectedError, UnreachableError
from gateway.mllp import send_hl7
from gateway.spool import Job, Spool
from gateway.web import post_fhir
from gateway.worker import Handler, Worker
from tests.gateway.receivers import FAULTS, FhirServer, Hl7Receiver, listening
from tests.gateway.servers import wait_until

PATIENCE_S = 3.0
"""Longer than a receiver on a busy machine takes that is not silent on purpose."""
NO_FAULT = b"MSH|^~\\&|ECG||||20261129||ORU^R01^ORU_R01|other|P|2.5.1\rPID|1\r"


def message(number: int) -> bytes:
    return f"MSH|^~\\&|ECG||||20261129||ORU^R01^ORU_R01|id{number}|P|2.5.1\rPID|1\r".encode()


@contextmanager
def delivering(folder: Path, handler: Handler, *messages: bytes) -> Iterator[Spool]:
    """A worker that delivers these."""
    spool = Spool(folder)
    for number, content in enumerate(messages):
        spool.add(str(number), b"ecg")
        job = spool.take("classify")
        assert job is not None
        spool.finish(job, [("hl7", content)])
    worker = Worker(spool, {"hl7": handler})
    try:
        yield spool
    finally:
        worker.stop()
        spool.close()


def test_each_message_is_accepted_once(tmp_path: Path) -> None:
    receiver, messages = Hl7Receiver(), [message(number) for number in range(len(FAULTS))]
    with (
        listening(receiver),
        delivering(tmp_path, lambda job: send_hl7(job.data, receiver.address, PATIENCE_S), *messages) as spool,
    ):
        wait_until(lambda: not spool.waiting())
        receiver.over.set()
    assert sorted(receiver.accepted) == [f"id{number}" for number in range(len(FAULTS))]
    assert set(receiver.deliveries.values()) == {1, 2}
    assert receiver.deliveries[f"id{FAULTS.index('none')}"] == 1


def test_receiver_that_is_down_keeps_messages_waiting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = unused.getsockname()
    tries: list[int] = []

    def deliver(_: Job) -> None:
        tries.append(1)
        send_hl7(message(0), address, PATIENCE_S)

    with delivering(tmp_path, deliver, message(0)) as spool:
        wait_until(lambda: len(tries) > 1)
        assert spool.waiting() == {"hl7": 1}


def test_full_disk_keeps_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, receiver, full = Spool.finish, Hl7Receiver(), [True]

    def finish_on_full_disk(spool: Spool, job: Job, *followers: Any) -> None:
        if job.kind == "hl7" and full:
            full.clear()
            raise sqlite3.OperationalError("database or disk is full")
        finish(spool, job, *followers)

    # Before the worker starts: it takes the method up before it delivers.
    monkeypatch.setattr(Spool, "finish", finish_on_full_disk)
    with (
        listening(receiver),
        delivering(tmp_path, lambda job: send_hl7(job.data, receiver.address), NO_FAULT) as spool,
    ):
        wait_until(lambda: not spool.waiting())
    assert not full
    assert receiver.deliveries.total() == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (201, None),
        (400, RejectedError),
        (401, UnreachableError),
        (412, RejectedError),
        (422, RejectedError),
        (429, UnreachableError),
        (503, UnreachableError),
    ],
)
def test_fhir_server_takes_refuses_or_is_away(status: int, error: type[Exception] | None) -> None:
    server = FhirServer(status)
    with listening(server), httpx.Client() as client:
        if error is None:
            post_fhir(client, server.url, b"{}")
        else:
            with pytest.raises(error, match=str(status)):
                post_fhir(client, server.url, b"{}")


def test_fhir_server_that_is_down_is_unreachable() -> None:
    with httpx.Client() as client, pytest.raises(UnreachableError):
        post_fhir(client, "http://127.0.0.1:1", b"{}")
