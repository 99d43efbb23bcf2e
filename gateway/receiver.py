"""The DICOM storage SCP: a sender gets success once its ECG is on the disk."""

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom import AE, evt
from pynetdicom.events import Event

from gateway.errors import StartupError, UnusableInstanceError
from gateway.instance import ECG_CLASSES, read_instance
from gateway.log import log
from gateway.settings import GatewaySettings
from gateway.spool import Spool

__all__ = ["Receiver"]

# PS3.4, table B.2-1.
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_SYNTAXES = [JPEGBaseline8Bit, ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
_VERIFICATION = "1.2.840.10008.1.1"
_NETWORK_TIMEOUT_S, _ASSOCIATION_TIMEOUT_S = 60, 15
_MOST_ASSOCIATIONS = 20


class Receiver:
    """An application entity that keeps ECGs in the spool, and calls ``on_new`` for each that is new."""

    def __init__(self, settings: GatewaySettings, spool: Spool, on_new: Callable[[], None]) -> None:
        """Start listening.

        Raises:
            StartupError: the address or a TLS file cannot be used, or no sender is named.
        """
        self._spool, self._on_new = spool, on_new
        self._ae = AE(settings.ae_title)
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = settings.allowed()
        self._ae.maximum_associations = _MOST_ASSOCIATIONS
        self._ae.network_timeout = self._ae.dimse_timeout = _NETWORK_TIMEOUT_S
        self._ae.acse_timeout = _ASSOCIATION_TIMEOUT_S
        self._ae.add_supported_context(_VERIFICATION)
        for sop_class in ECG_CLASSES:
            self._ae.add_supported_context(sop_class, _SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _limit_silence),
            (evt.EVT_REJECTED, _note_rejection),
            (evt.EVT_C_STORE, self._store),
        ]
        try:
            server = self._ae.start_server(
                (settings.host, settings.port), block=False, evt_handlers=handlers, ssl_context=settings.server_tls()
            )
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise StartupError(f"Cannot listen on {where}: {error}. Choose another address or port.") from error
        assert server is not None  # noqa: S101 - it does not block
        self.port: int = server.server_address[1]

    def stop(self) -> None:
        """Close all associations and stop listening."""
        self._ae.shutdown()

    def _store(self, event: Event) -> int:
        try:
            data = event.encoded_dataset()
            instance = read_instance(data)
        except UnusableInstanceError as error:
            log("refused_object", level=logging.WARNING, reason=str(error))
            return _CANNOT_UNDERSTAND
        if instance.is_result:
            return _SUCCESS  # an archive that sends everything on must not send our results in a circle
        try:
            new = self._spool.add(instance.key, data)
        except sqlite3.Error as error:
            log("spool_fails", level=logging.ERROR, reason=type(error).__name__)
            return _OUT_OF_RESOURCES
        log("received" if new else "received_again", ecg=instance.key)
        if new:
            self._on_new()
        return _SUCCESS


def _limit_silence(event: Event) -> None:
    """End a connection that stops in the middle of a message; pynetdicom waits for its rest without end."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.settimeout(_NETWORK_TIMEOUT_S)


def _note_rejection(_event: Event) -> None:
    """A sender that is not on the list, or calls another AE title; its words are not repeated."""
    log(
        "association_rejected", level=logging.WARNING, expected="ECG_GATEWAY_AE_TITLE and ECG_GATEWAY_ALLOWED_AE_TITLES"
    )
