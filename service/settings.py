"""Settings, read from `ECG_` environment variables; docs/settings.md explains each."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import StartupError

__all__ = [
    "LogFormat",
    "LogLevel",
    "Provider",
    "Settings",
    "describe_settings",
    "read_settings",
    "unknown_settings",
]

PREFIX = "ECG_"
_TEST_SETTING = f"{PREFIX}SHARED_DIR"
_OF_THE_GATEWAY = f"{PREFIX}GATEWAY_"

Provider = Literal["auto", "cuda", "cpu"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["line", "json"]

_Count = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings; ``ECG_MAX_BODY_BYTES`` sets `max_body_bytes`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    # Set these.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    models_dir: Path = Path("models")
    default_model: str = "production"
    site_policy: Path | None = None
    keys_file: Path | None = None
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_required_scope: str | None = None
    allow_anonymous: bool = False
    audit_dir: Path | None = None
    audit_required: bool = False
    provider: Provider = "auto"
    log_level: LogLevel = "info"
    log_format: LogFormat = "line"

    # Limits.
    workers: _Count | None = None
    max_waiting_requests: Annotated[int, Field(ge=0)] = 32
    request_deadline_s: _Seconds = 60.0
    max_body_bytes: _Count = 12 * 2**20
    max_bodies_bytes: _Count = 256 * 2**20
    body_timeout_s: _Seconds = 30.0
    header_timeout_s: _Seconds = 10.0
    max_connections: _Count = 2048
    max_loaded_models: _Count = 2
    rate_limit_per_minute: _Count | None = None
    drain_delay_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    shutdown_grace_s: _Count = 20

    # Rarely touched.
    trusted_hosts: str | None = None
    oidc_jwks_url: str | None = None
    keep_alive_timeout_s: _Count = 75
    idempotency_window_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 600.0
    batch_pages: _Count | None = None
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    audit_sync_interval_s: _Seconds = 1.0
    audit_queue_records: _Count = 10_000

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        if self.max_body_bytes > self.max_bodies_bytes:
            raise ValueError("ECG_MAX_BODY_BYTES is larger than ECG_MAX_BODIES_BYTES, so no body of that size fits")
        return self

    def worker_count(self, cpus: int) -> int:
        """Return the pages to process in parallel."""
        return self.workers or cpus

    def inference_threads(self, cpus: int) -> int:
        """Return the threads of one inference."""
        return max(1, cpus // self.worker_count(cpus))


_RENAMED = {
    "WORKER_THREADS": "WORKERS",
    "PAGE_PROCESSES": "WORKERS",
    "ANSWER_TIMEOUT_S": "BODY_TIMEOUT_S",
    "METRICS_HOST": "HOST",
}
_REMOVED = {
    "AUDIT_FILE_BYTES": "An audit file ends at 64 MiB",
    "BATCH_WAIT_MS": "A page waits 2 ms for others",
    "CRITICAL_SENSITIVITY": "Set `default_sensitivity` in the file of ECG_SITE_POLICY",
    "DEFAULT_MODEL_RETRY_S": "The service looks for a new default model every half second",
    "DOCS": "The service always describes its API at /docs; let a proxy hide it",
    "IDEMPOTENCY_ENTRIES": "The service keeps 1000 answers; ECG_IDEMPOTENCY_WINDOW_S=0 keeps none",
    "INFERENCE_THREADS": "An inference uses the CPUs that ECG_WORKERS leaves",
    "MAX_LOADED_MODEL_BYTES": "Models beside the default take at most 512 MiB; ECG_MAX_LOADED_MODELS limits them",
    "MAX_RECEIVING_REQUESTS": "The service receives at most 256 bodies at once; ECG_MAX_BODIES_BYTES limits their size",
    "METRICS_ENABLED": "The service always counts; ECG_METRICS_PORT takes /metrics off the main port",
    "OIDC_ALGORITHMS": "The service accepts every asymmetric signature algorithm",
    "REGISTRY_POLL_S": "The service looks for a new default model every half second",
}


def read_settings() -> Settings:
    """Read the environment; raise `StartupError` for invalid and former settings."""
    _check_former_settings(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise StartupError(" ".join(map(_complaint, error.errors()))) from error


def _check_former_settings(names: Iterable[str]) -> None:
    for name in names:
        former = name.removeprefix(PREFIX)
        if former == name:
            continue
        if former in _RENAMED:
            raise StartupError(f"{name} was replaced by {PREFIX}{_RENAMED[former]} in version 0.2.0. Set that one.")
        if former in _REMOVED:
            raise StartupError(f"{name} was removed in version 0.2.0. {_REMOVED[former]}. Unset it.")


def describe_settings() -> list[str]:
    """Return a line for each setting: the variable and its default."""
    width = max(map(len, Settings.model_fields)) + len(PREFIX)
    return [
        f"  {PREFIX + name.upper():{width}}  {'' if field.default is None else field.default}".rstrip()
        for name, field in Settings.model_fields.items()
    ]


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Return the names that look like settings and are none."""
    known = {_TEST_SETTING, *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)}
    ours = (name for name in names if name.upper().startswith(PREFIX) and not name.upper().startswith(_OF_THE_GATEWAY))
    return sorted(name for name in ours if name.upper() not in known)


def _complaint(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}." if error["loc"] else f"{message}."
