"""Where the service starts with nobody asked who they are, and where it refuses to."""

import os
import socket
from pathlib import Path

import pytest

from service.app import create_app
from service.auth.access import ANONYMOUS, make_access
from service.auth.keys import new_key
from service.errors import StartupError
from service.settings import Settings
from tests.factories import page_jpeg
from tests.service.issuer import AUDIENCE, issuing
from tests.service.process import environment, failed_start, running
from tests.service.serving import problem, serving, settings_for, wait_until

OIDC = {"oidc_issuer": "https://login.example.org", "oidc_audience": AUDIENCE}
KEY, LINE = new_key("pacs")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what must not be bound


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(LINE)
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_nobody_is_asked(models_dir: Path, host: str) -> None:
    create_app(settings_for(models_dir, host=host))


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.0.0.5", "ecg.example.org", "127.0.0.1.example.org", "*"])
def test_elsewhere_it_refuses_unless_told_by_name(models_dir: Path, keys_file: Path, host: str) -> None:
    with pytest.raises(StartupError, match=r"ECG_KEYS_FILE or ECG_OIDC_ISSUER; or ECG_ALLOW_ANONYMOUS=true"):
        create_app(settings_for(models_dir, host=host))
    for change in ({"keys_file": keys_file}, OIDC, {"allow_anonymous": True}):
        create_app(settings_for(models_dir, host=host, **change))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({**OIDC, "allow_anonymous": True}, "ECG_ALLOW_ANONYMOUS is true, but"),
        ({"oidc_issuer": "https://login.example.org"}, "set both"),
        ({"oidc_audience": AUDIENCE}, "set both"),
        ({"oidc_jwks_url": "https://login.example.org/keys"}, "set both"),
        ({"oidc_required_scope": "ecg"}, "set both"),
        ({**OIDC, "oidc_issuer": "http://login.example.org"}, "ECG_OIDC_ISSUER: not an https"),
        ({**OIDC, "oidc_jwks_url": "file:///keys"}, "ECG_OIDC_JWKS_URL: not an https"),
        ({"keys_file": Path("/nowhere/keys")}, "ECG_KEYS_FILE: the file cannot be read"),
    ],
)
def test_settings_that_contradict_each_other(models_dir: Path, changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(StartupError, match=complaint):
        create_app(settings_for(models_dir, **changes))


def test_the_algorithms_of_the_default_are_known() -> None:
    make_access(Settings(oidc_issuer=OIDC["oidc_issuer"], oidc_audience=AUDIENCE))


def test_a_process_does_not_bind_where_anyone_could_use_it(models_dir: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failed = failed_start(environment(models_dir, ECG_HOST=EVERYWHERE, ECG_PORT=str(port)))
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"The service cannot start: ECG_HOST is {EVERYWHERE}, which others can reach")
    assert "running on" not in failed.stderr
    assert "Traceback" not in failed.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_process_with_a_key_asks_for_it(models_dir: Path, keys_file: Path) -> None:
    with running(environment(models_dir, ECG_KEYS_FILE=os.fspath(keys_file))) as process:
        problem(process.client.post("/classify", content=page_jpeg()), 401, "unauthorized")
        good = {"Authorization": f"Bearer {KEY}"}
        assert process.client.post("/classify", content=page_jpeg(), headers=good).is_success
        wait_until(lambda: "key_id=pacs" in process.log)
        assert KEY not in process.log


def test_being_open_to_anyone_is_told_in_the_log(models_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    create_app(settings_for(models_dir, host=EVERYWHERE, allow_anonymous=True))
    assert [record.msg for record in caplog.records] == ["anyone_may"]
    assert ANONYMOUS == "anonymous"


def test_silent_issuer_blocks_neither_start_nor_keys(models_dir: Path, keys_file: Path) -> None:
    with issuing() as issuer:
        issuer.documents = {}
        oidc = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
        with serving(settings_for(models_dir, keys_file=keys_file, **oidc)) as client:
            refused = client.get("/models", headers={"Authorization": f"Bearer {issuer.token()}"})
            problem(refused, 503, "issuer_unavailable")
            assert refused.headers["retry-after"] == "30"
            assert client.get("/models", headers={"Authorization": f"Bearer {KEY}"}).is_success
