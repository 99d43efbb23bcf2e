"""A certificate authority of the tests, and what it signs."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

__all__ = ["Certificates"]


class Certificates:
    """PEM files in a folder: ``ca``, and a certificate with its key for this machine."""

    def __init__(self, folder: Path) -> None:
        self._ca_key, self._ca_name = _new_key(), _name("CA")
        self.ca, self.certificate, self.key = (folder / f"{name}.pem" for name in ("ca", "certificate", "key"))
        root = self._signed(self._ca_name, self._ca_key.public_key(), ca=True)
        self.ca.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        key = _new_key()
        own = self._signed(_name("localhost"), key.public_key(), ca=False)
        self.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.key.write_bytes(private)

    def _signed(self, subject: x509.Name, public_key: rsa.RSAPublicKey, *, ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder(self._ca_name, subject, public_key, x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(names, critical=False)
        )
        return builder.sign(self._ca_key, hashes.SHA256())


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
