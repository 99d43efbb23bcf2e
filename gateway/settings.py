"""Settings of the gateway, read from `ECG_GATEWAY_` environment variables; `--help` lists them."""

import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.errors import StartupError

__all__ = [
    "GatewaySettings",
    "address_of",
    "describe_settings",
    "read_gateway_settings",
    "read_secret",
    "unknown_settings",
]

PREFIX = "ECG_GATEWAY_"

_TITLE = r"[!-\[\]-~]{1,16}"
_Web = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]


class _ServerContext(ssl.SSLContext):
    """Shake hands when a connection is first read, in its own thread: a silent client must not stop all others."""

    def wrap_socket(self, sock: socket.socket, *_: object, **__: object) -> ssl.SSLSocket:
        """Wrap an accepted connection."""
        return super().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


class GatewaySettings(BaseSettings):
    """The gateway's settings: `service_url` is read from ``ECG_GATEWAY_SERVICE_URL``, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    service_url: _Web = Field("http://127.0.0.1:8000", description="address of the service")
    service_key_file: Path | None = Field(None, description="file that holds the service's API key")
    spool_dir: Path = Field(Path("spool"), description="folder of what is not yet delivered, on an encrypted disk")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(11112, ge=0, le=65535, description="port to listen on")
    ae_title: str = Field("ECG", pattern=rf"^{_TITLE}$", description="our AE title, towards senders and archive")
    allowed_ae_titles: str | None = Field(None, description="AE titles that may send, with commas between")

    archive: str | None = Field(
        None,
        pattern=rf"^(dicoms?://{_TITLE}@[^\s@]+:\d+|https?://[^\s@]+)$",
        description="where results go: dicom://AE@host:port, dicoms:// with TLS, or the root of a DICOMweb server",
    )
    archive_token_file: Path | None = Field(None, description="file that holds a bearer token for it, or `Basic …`")
    fhir_url: _Web | None = Field(None, description="FHIR server that gets a transaction for each answer")
    fhir_token_file: Path | None = Field(None, description="file that holds a bearer token for it")
    hl7: str | None = Field(
        None, pattern=r"^[^\s@/]+:\d{1,5}$", description="host:port that gets ORU^R01 by MLLP for each answer"
    )

    tls_certificate: Path | None = Field(None, description="PEM: our certificate; senders then have to use TLS")
    tls_key: Path | None = Field(None, description="PEM: its key")
    tls_ca: Path | None = Field(None, description="PEM: who signs certificates of senders and peers")

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY need each other: set both or none")
        return self

    def allowed(self) -> list[str]:
        """AE titles that may send; empty: everyone on this machine.

        Raises:
            StartupError: other machines reach the gateway, and no sender is named.
        """
        titles = [title.strip() for title in (self.allowed_ae_titles or "").split(",") if title.strip()]
        if not titles and not _is_loopback(self.host):
            raise StartupError(f"{PREFIX}HOST is no loopback address: name the senders in {PREFIX}ALLOWED_AE_TITLES.")
        return titles

    def server_tls(self) -> ssl.SSLContext | None:
        """TLS for senders; with a CA, senders need a certificate of it. None: no TLS.

        Raises:
            StartupError: a file cannot be used.
        """
        if self.tls_certificate is None:
            return None
        context = self._loaded(_ServerContext(ssl.PROTOCOL_TLS_SERVER))
        context.verify_mode = ssl.CERT_REQUIRED if self.tls_ca else ssl.CERT_NONE
        return context

    def client_tls(self) -> ssl.SSLContext:
        """TLS towards peers: their certificates are verified, ours is shown if there is one.

        Raises:
            StartupError: a file cannot be used.
        """
        context = self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        if self.tls_ca is None:
            context.load_default_certs()
        return context

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        try:
            if self.tls_ca is not None:
                context.load_verify_locations(self.tls_ca)
            if self.tls_certificate is not None:
                context.load_cert_chain(self.tls_certificate, self.tls_key)
        except OSError as error:
            files = f"{PREFIX}TLS_CERTIFICATE, {PREFIX}TLS_KEY or {PREFIX}TLS_CA"
            raise StartupError(f"{files} cannot be used: {error}. Give PEM files that the gateway may read.") from error
        return context


def read_gateway_settings() -> GatewaySettings:
    """Read the settings from the environment of this process.

    Raises:
        StartupError: a value is invalid; the message names the variable and not its value.
    """
    try:
        return GatewaySettings()
    except ValidationError as error:
        complaints = []
        for one in error.errors(include_input=False):
            message = one["msg"].removeprefix("Value error, ")
            complaints.append(f"{PREFIX}{str(one['loc'][0]).upper()}: {message}." if one["loc"] else f"{message}.")
        raise StartupError(" ".join(complaints)) from error


def describe_settings() -> str:
    """Return a line for each setting: the variable, what it is, and its default if it has one."""
    width = max(map(len, GatewaySettings.model_fields)) + len(PREFIX)
    lines = (
        f"  {PREFIX + name.upper():{width}}  {field.description}{f' ({field.default})' if field.default else ''}"
        for name, field in GatewaySettings.model_fields.items()
    )
    return "\n".join(lines)


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Return the names that begin like a setting of the gateway but are none."""
    known = {f"{PREFIX}{name.upper()}" for name in GatewaySettings.model_fields}
    return sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)


def read_secret(path: Path | None) -> str | None:
    """Read a key or token from its file; None where none is set.

    Raises:
        StartupError: the file cannot be read or is empty.
    """
    if path is None:
        return None
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} cannot be read: {type(error).__name__}. Let the gateway's user read it.") from error
    if not secret:
        raise StartupError(f"{path} is empty. Write the key or token into it.")
    return secret


def address_of(text: str) -> tuple[str, int]:
    """Split ``host:port``, also as the end of a URL."""
    parts = urlsplit(text if "://" in text else f"//{text}")
    return parts.hostname or "", parts.port or 0


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
