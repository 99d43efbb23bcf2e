"""Everything an operator can set, read from the environment. Knows nothing of how a page is classified.

Numbers that the weights depend on are not here: they come with the bundle. Each setting is explained in
docs/settings.md.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import StartupError

__all__ = ["LogFormat", "LogLevel", "Provider", "Settings", "read_settings", "unknown_settings"]

PREFIX = "ECG_"
_OF_THE_TESTS = f"{PREFIX}SHARED_DIR"

Provider = Literal["auto", "cuda", "cpu"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["line", "json"]

_Count = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The service's settings: `max_body_bytes` is read from ``ECG_MAX_BODY_BYTES``, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    trusted_hosts: str | None = None
    """Names, with commas between. ``None``: what `service.middleware.trusted_hosts` makes of `host`."""
    keys_file: Path | None = None
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_jwks_url: str | None = None
    """``None``: the issuer's configuration says it."""
    oidc_algorithms: str = "RS256,ES256"
    oidc_required_scope: str | None = None
    allow_anonymous: bool = False
    rate_limit_per_minute: _Count | None = None
    """Of each caller; ``None``: no limit."""
    docs: bool = True
    models_dir: Path = Path("models")
    default_model: str = "production"
    default_model_retry_s: _Seconds = 5.0
    registry_poll_s: _Seconds = 2.0
    max_loaded_models: _Count = 2
    """How many bundles stay loaded beside the default one."""
    max_loaded_model_bytes: _Count = 512 * 2**20
    """Sum of the sizes of their model files."""
    critical_sensitivity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """Asked of each bundle's policy; ``None``: what the bundle was published with."""
    site_policy: Path | None = None
    """JSON of a `SitePolicy`; ``None``: each bundle's own policy decides."""
    provider: Provider = "auto"
    worker_threads: _Count | None = None
    """``None``: as many as the CPUs that this process may use."""
    inference_threads: _Count | None = None
    """``None``: what `worker_threads` leave of the CPUs, and at least one."""
    batch_pages: _Count | None = None
    """``None``: what `service.models.batching` chooses by where a model runs."""
    batch_wait_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0
    max_waiting_requests: Annotated[int, Field(ge=0)] = 32
    request_deadline_s: _Seconds = 60.0
    max_receiving_requests: _Count = 256
    max_bodies_bytes: _Count = 256 * 2**20
    """Of all requests together; at least one largest body is always taken."""
    max_body_bytes: _Count = 12 * 2**20
    body_timeout_s: _Seconds = 30.0
    header_timeout_s: _Seconds = 10.0
    answer_timeout_s: _Seconds = 30.0
    max_connections: _Count = 2048
    keep_alive_timeout_s: _Count = 75
    drain_delay_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    shutdown_grace_s: _Count = 20
    log_level: LogLevel = "info"
    log_format: LogFormat = "line"
    metrics_enabled: bool = True
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """``None``: `/metrics` is one of the service's paths; otherwise it is there and nowhere else."""
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """``None``: no spans are sent."""
    audit_dir: Path | None = None
    """``None``: nothing is recorded."""
    audit_required: bool = False
    audit_file_bytes: _Count = 64 * 2**20
    audit_sync_interval_s: _Seconds = 1.0
    audit_queue_records: _Count = 10_000
    idempotency_window_s: _Seconds = 600.0
    idempotency_entries: Annotated[int, Field(ge=0)] = 1000

    def workers(self, cpus: int) -> int:
        """Return how many threads work on pages where this process may use ``cpus``."""
        return self.worker_threads or cpus

    def threads_of_one_inference(self, cpus: int) -> int:
        """Return how many threads one inference gets where this process may use ``cpus``."""
        return self.inference_threads or max(1, cpus // self.workers(cpus))


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        StartupError: a value makes no sense; the message names its variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        complaints = (f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}." for one in error.errors())
        raise StartupError(" ".join(complaints)) from error


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Those names of environment variables that look like a setting and are none."""
    known = {_OF_THE_TESTS, *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)}
    return sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)
