"""Settings: from the environment when they are built, and each in the documentation."""

import re
from pathlib import Path

import pytest

from service.errors import StartupError
from service.settings import Settings, read_settings, unknown_settings
from tests.conftest import REPOSITORY

DOCUMENTED = (REPOSITORY / "docs" / "settings.md").read_text()
WHEN_NOT_SET = {
    "inference_threads": "CPUs / workers",
    "worker_threads": "CPUs",
    "batch_pages": "1; on CUDA 8",
    "critical_sensitivity": "the model's",
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
    monkeypatch.setenv("ECG_CRITICAL_SENSITIVITY", "0.95")
    settings = read_settings()
    assert settings.critical_sensitivity == 0.95
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
        ("default_model_retry_s", "inf"),
        ("drain_delay_s", "inf"),
        ("drain_delay_s", "nan"),
        ("inference_threads", "0"),
        ("batch_pages", "0"),
        ("batch_wait_ms", "-1"),
        ("batch_wait_ms", "inf"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("metrics_port", "0"),
        ("audit_file_bytes", "0"),
        ("audit_sync_interval_s", "0"),
        ("idempotency_window_s", "inf"),
        ("idempotency_entries", "-1"),
        ("critical_sensitivity", "95"),
        ("critical_sensitivity", "-0.1"),
        ("critical_sensitivity", "nan"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ECG_{name.upper()}", value)
    with pytest.raises(StartupError, match=f"ECG_{name.upper()}: .+"):
        read_settings()


@pytest.mark.parametrize(
    ("workers", "threads", "expected"), [(None, None, 1), (1, None, 8), (3, None, 2), (99, None, 1), (8, 4, 4)]
)
def test_an_inference_gets_what_the_workers_leave(workers: int | None, threads: int | None, expected: int) -> None:
    settings = Settings(worker_threads=workers, inference_threads=threads)
    assert settings.threads_of_one_inference(cpus=8) == expected


def test_names_that_are_no_setting_are_found() -> None:
    known = [f"ECG_{name.upper()}" for name in Settings.model_fields]
    assert unknown_settings([*known, "ecg_port", "ECG_SHARED_DIR", "PATH"]) == []
    assert unknown_settings([*known, "ECG_MAX_BODY", "ECG_DEFAULTMODEL"]) == ["ECG_DEFAULTMODEL", "ECG_MAX_BODY"]
