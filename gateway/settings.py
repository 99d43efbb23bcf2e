"""Settings of the gateway, read from `ECG_GATEWAY_` environment variables. docs/integration.md explains each."""

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

__all__ = ["GatewaySettings", "address_of", "read_gateway_settings", "read_secret", "unknown_settings"]

PREFIX = "ECG_GATEWAY_"

_Web = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]


class _ServerContext(ssl.SSLContext):
    """Shake hands when a connection is first read, in its own thread: a silent client must not stop all others."""

    def wrap_socket(self, sock: socket.socket, *_: object, **__: object) -> ssl.SSLSocket:
        """Wrap an accepted connection."""
        return super().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


class GatewaySettings(BaseSettings):
    """The gateway's settings: `service_url` is read from ``ECG_GATEWAY_SERVICE_URL``, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    service_url: _Web = "http://127.0.0.1:8000"
    service_key_file: Path | None = None
    spool_dir: Path = Path("spool")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    ae_title: Annotated[str, Field(pattern=r"^[!-\[\]-~]{1,16}$")] = "ECG"
    allowed_ae_titles: str | None = None

    archive: Annotated[str, Field(pattern=r"^(dicoms?://[!-\[\]-~]{1,16}@[^\s@]+:\d+|https?://[^\s@]+)$")] | None = None
    archive_token_file: Path | None = None
    fhir_url: _Web | None = None
    fhir_token_file: Path | None = None
    hl7: Annotated[str, Field(pattern=r"^[^\s@/]+:\d{1,5}$")] | None = None

    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None

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
