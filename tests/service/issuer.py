"""An OpenID Connect issuer on loopback: publishes keys over HTTP and signs what its tests ask for."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

__all__ = ["AUDIENCE", "Issuer", "issuing"]

AUDIENCE = "ecg-report-classifier"
CONFIGURATION = "/.well-known/openid-configuration"
JWKS = "/keys"


class Issuer:
    """Keys `rsa-1` and `ec-1`; `documents` is what it serves, `requests` what was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.documents: dict[str, Any] = {CONFIGURATION: {"issuer": url, "jwks_uri": url + JWKS}}
        self.publish(("rsa-1", self.rsa))

    def publish(self, *keys: tuple[str, rsa.RSAPrivateKey]) -> None:
        """Serve these RSA keys, the elliptic one, and three that must not be used."""
        elliptic = ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True)
        unfit: list[dict[str, Any]] = [
            {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")},
            {**RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True), "kid": "encryption", "use": "enc"},
            {"kty": "unheard of", "kid": "odd"},
        ]
        published = [{**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in keys]
        self.documents[JWKS] = {"keys": [*published, {**elliptic, "kid": "ec-1"}, *unfit]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token says; ``None`` leaves a claim out."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "jane.doe@example.org", "iat": now, "exp": now + 300}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, *, key: Any = None, algorithm: str = "RS256", headers: Any = None, **changes: Any) -> str:
        """Sign a token, by default with `rsa-1`."""
        return jwt.encode(self.claims(**changes), key or self.rsa, algorithm, headers or {"kid": "rsa-1"})

    def unsigned(self) -> str:
        """A token of ``alg: none``."""
        return _joined({"alg": "none", "typ": "JWT", "kid": "rsa-1"}, self.claims()) + "."

    def confused(self, key_id: str = "rsa-1") -> str:
        """A token signed by HS256 with what everyone knows: the public key, as PEM."""
        secret = self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        content = _joined({"alg": "HS256", "typ": "JWT", "kid": key_id}, self.claims())
        return f"{content}.{_encoded(hmac.digest(secret, content.encode(), hashlib.sha256))}"


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests.append(self.path)
            document = issuer.documents.get(self.path)
            if isinstance(document, str):
                self.send_response(302)
                self.send_header("Location", document)
            else:
                self.send_response(500 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def _joined(*parts: dict[str, Any]) -> str:
    return ".".join(_encoded(json.dumps(part).encode()) for part in parts)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
