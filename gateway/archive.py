"""The archive that gets reports and pages: by C-STORE (``dicom://AE@host:port``), or STOW-RS (``https://…``)."""

import io
import ssl
from collections.abc import Callable
from uuid import uuid4

import httpx
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage
from pynetdicom import AE

from gateway.errors import RejectedError, UnreachableError
from gateway.settings import GatewaySettings, address_of, read_secret
from gateway.web import post, web_client

__all__ = ["archive_sender"]

_TIMEOUT_S = 30.0
_FAILED_SOP_SEQUENCE = "00081198"
_WARNING_STATUS, _OUT_OF_RESOURCES, _CATEGORY = 0xB000, 0xA700, 0xFF00  # PS3.4, table B.2-1

Send = Callable[[bytes], None]
"""Deliver one DICOM file, or raise a `DeliveryError`."""


def archive_sender(settings: GatewaySettings) -> Send:
    """Return the function that sends one DICOM file to ``settings.archive``."""
    url = settings.archive or ""
    if url.startswith("http"):
        client = web_client(settings, read_secret(settings.archive_token_file))
        return lambda data: _stow(client, f"{url.rstrip('/')}/studies", data)
    scheme, _, rest = url.partition("://")
    peer_title = rest.partition("@")[0]
    tls = settings.client_tls() if scheme == "dicoms" else None
    return lambda data: _store(data, settings.ae_title, peer_title, address_of(url), tls)


def _store(data: bytes, our_title: str, peer_title: str, address: tuple[str, int], tls: ssl.SSLContext | None) -> None:
    dataset = dcmread(io.BytesIO(data))
    ae = AE(our_title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = _TIMEOUT_S
    for sop_class in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
        ae.add_requested_context(sop_class)
    association = ae.associate(*address, ae_title=peer_title, tls_args=None if tls is None else (tls, address[0]))
    if not association.is_established:
        said = "rejects the association" if association.is_rejected else "does not answer"
        raise UnreachableError(f"the archive {said}")
    try:
        answer = association.send_c_store(dataset)
    except ValueError as error:  # no presentation context for it
        raise RejectedError("the archive does not take objects of this class") from error
    finally:
        association.release()
    status = answer.get("Status")
    if status is None:
        raise UnreachableError("the archive ended the association before its answer")
    if status & _CATEGORY == _OUT_OF_RESOURCES:
        raise UnreachableError(f"the archive answers 0x{status:04X}, out of resources")
    if status and status & 0xF000 != _WARNING_STATUS:
        raise RejectedError(f"the archive answers 0x{status:04X}")


def _stow(client: httpx.Client, url: str, data: bytes) -> None:
    boundary = uuid4().hex
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
    }
    response = post(client, url, head + data + f"\r\n--{boundary}--\r\n".encode(), headers, "the archive")
    try:
        failed = response.json().get(_FAILED_SOP_SEQUENCE, {}).get("Value")
    except (ValueError, AttributeError):
        failed = None
    if failed:  # some servers always name the sequence, and leave it empty
        raise RejectedError("the archive takes the request and not the object")
