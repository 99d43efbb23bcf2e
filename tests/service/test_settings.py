"""Settings: from the environment when they are built, and each in the documentation."""

import re
from pathlib import Path

import pytest

from service.errors import StartupError
from service.settings import Settings, read_settings, unknown_settings
from tests.conftest import REPOSITORY

DOCUMENTED = (REPOSITORY / "docs" / "settings.md").read_text()
WHEN_NOT_SET = {
    "workers": "one per CPU",
    "batch_pages": "1; on CUDA 8",
    "site_policy": "the model's own",
    "metrics_port": "none",
    "audit_dir": "none",
    "otlp_endpoint": "none",
    "trusted_hosts": "by `ECG_HOST`",
    "keys_file": "none",
    "oidc_issuer": "none",
    "oidc_audience": "none",
    "oidc_jwks_url": "the issuer's",
    "oidc_required_scope": "none",
    "rate_limit_per_minute": "none",
}

GONE = [
    "ANSWER_TIMEOUT_S",
    "AUDIT_FILE_BYTES",
    "BATCH_WAIT_MS",
    "CRITICAL_SENSITIVITY",
    "DEFAULT_MODEL_RETRY_S",
    "DOCS",
    "IDEMPOTENCY_ENTRIES",
    "INFERENCE_THREADS",
    "MAX_LOADED_MODEL_BYTES",
    "MAX_RECEIVING_REQUESTS",
    "METRICS_ENABLED",
    "METRICS_HOST",
    "OIDC_ALGORITHMS",
    "PAGE_PROCESSES",
    "REGISTRY_POLL_S",
    "WORKER_THREADS",
]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented_with_its_default(name: str) -> None:
    row = re.search(rf"^\| `ECG_{name.upper()}` \| ([^|]*) \|", DOCUMENTED, re.MULTILINE)
    assert row, f"docs/settings.md does not explain ECG_{name.upper()}"
    default = Settings.model_fields[name].default
    assert row.group(1) == (
        WHEN_NOT_SET[name] if default is None else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    )


def test_nothing_else_is_documented() -> None:
    documented = re.findall(r"^\| `ECG_(\w+)`", DOCUMENTED, re.MULTILINE)
    assert sorted(documented) == sorted(name.upper() for name in Settings.model_fields)


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_MODELS_DIR", "/srv/models")
    monkeypatch.setenv("ECG_MAX_BODY_BYTES", "1000")
    monkeypatch.setenv("ECG_PROVIDER", "")
    settings = read_settings()
    assert (settings.models_dir, settings.max_body_bytes, settings.provider) == (Path("/srv/models"), 1000, "auto")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "tcp://10.0.0.1:80"),
        ("provider", "tensorrt"),
        ("max_body_bytes", "0"),
        ("body_timeout_s", "-1"),
        ("body_timeout_s", "inf"),
        ("body_timeout_s", "nan"),
        ("drain_delay_s", "inf"),
        ("drain_delay_s", "nan"),
        ("workers", "0"),
        ("batch_pages", "0"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("metrics_port", "0"),
        ("audit_sync_interval_s", "0"),
        ("idempotency_window_s", "inf"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ECG_{name.upper()}", value)
    with pytest.raises(StartupError, match=f"ECG_{name.upper()}: .+"):
        read_settings()


@pytest.mark.parametrize(("workers", "expected"), [(None, 1), (1, 8), (3, 2), (99, 1)])
def test_inference_gets_the_cpus_that_workers_leave(workers: int | None, expected: int) -> None:
    assert Settings(workers=workers).inference_threads(cpus=8) == expected


def test_settings_are_at_most_36() -> None:
    assert len(Settings.model_fields) <= 36


@pytest.mark.parametrize(
    ("former", "instead"),
    [("WORKER_THREADS", "ECG_WORKERS"), ("METRICS_HOST", "ECG_HOST"), ("CRITICAL_SENSITIVITY", "ECG_SITE_POLICY")],
)
def test_former_setting_names_its_successor(former: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ECG_{former}", "1")
    with pytest.raises(StartupError, match=f"ECG_{former} was .*{instead}"):
        read_settings()


@pytest.mark.parametrize("name", GONE)
def test_setting_of_0_1_0_that_is_gone_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ECG_{name}", "1")
    with pytest.raises(StartupError, match=f"ECG_{name} was"):
        read_settings()


def test_body_larger_than_all_bodies_is_rejected() -> None:
    with pytest.raises(ValueError, match="ECG_MAX_BODY_BYTES is larger than ECG_MAX_BODIES_BYTES"):
        Settings(max_body_bytes=2, max_bodies_bytes=1)


def test_names_that_are_no_setting_are_found() -> None:
    known = [f"ECG_{name.upper()}" for name in Settings.model_fields]
    assert unknown_settings([*known, "ecg_port", "ECG_SHARED_DIR", "PATH"]) == []
    assert unknown_settings([*known, "ECG_MAX_BODY", "ECG_DEFAULTMODEL"]) == ["ECG_DEFAULTMODEL", "ECG_MAX_BODY"]
