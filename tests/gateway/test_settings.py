"""Settings of the gateway: an invalid one stops the start and is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StartupError
from gateway.settings import read_gateway_settings
from tests.conftest import REPOSITORY
from tests.gateway.servers import LIMIT_S


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ARCHIVE", "dicom://127.0.0.1:4242", "ECG_GATEWAY_ARCHIVE: "),
        ("ARCHIVE", "https://key:secret@host/dicom-web", "ECG_GATEWAY_ARCHIVE: "),
        ("AE_TITLE", "LONGER THAN SIXTEEN", "ECG_GATEWAY_AE_TITLE: "),
        ("PORT", "eleven", "ECG_GATEWAY_PORT: "),
        ("HL7", "mirth", "ECG_GATEWAY_HL7: "),
        ("TLS_KEY", "key.pem", "ECG_GATEWAY_TLS_CERTIFICATE and ECG_GATEWAY_TLS_KEY need each other"),
    ],
)
def test_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"ECG_GATEWAY_{name}", value)
    with pytest.raises(StartupError, match=said) as refusal:
        read_gateway_settings()
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "ECG_GATEWAY_ARCHIVE is not set"),
        ({"ARCHIVE": "dicom://A@127.0.0.1:1", "HOST": "0.0.0.0"}, "name the senders in ECG_GATEWAY_ALLOWED_AE_TITLES"),  # noqa: S104
        ({"ARCHIVE": "dicom://A@127.0.0.1:1", "SERVICE_KEY_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"ARCHIVE": "dicom://A@127.0.0.1:1", "TLS_KEY": "/no", "TLS_CERTIFICATE": "/no"}, "cannot be used"),
    ],
)
def test_start_fails_with_a_reason(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    given = {f"ECG_GATEWAY_{name}": value for name, value in settings.items()}
    environment = os.environ | given | {"ECG_GATEWAY_SPOOL_DIR": str(tmp_path), "ECG_GATEWAY_PORT": "0"}
    environment["ECG_GATEWAY_ARCHIV"] = "a typo"
    done = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "unknown_setting name=ECG_GATEWAY_ARCHIV\n" in done.stderr
    assert "Traceback" not in done.stderr
