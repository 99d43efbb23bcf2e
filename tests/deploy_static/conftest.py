"""The service, started with the settings that the cluster gives it."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.auth.keys import new_key
from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import Pod, one, rendered, settings
from tests.factories import page_jpeg
from tests.service.process import Process, environment, running
from tests.service.scrape import Scrape


@dataclass(frozen=True)
class Deployed:
    """A running service, whose client has a key, another client without one, and what Prometheus sees."""

    process: Process
    anyone: httpx.Client
    audit: Path
    metrics: Scrape


def container_environment(pod: Pod, config: dict[str, str]) -> dict[str, str]:
    """What Kubernetes makes of `envFrom` and `env`; ``$(NAME)`` is a variable that stands before."""
    given = dict(config)
    for variable in pod.main.get("env", ()):
        value = variable.get("value", variable["name"].lower())
        for name, known in given.items():
            value = value.replace(f"$({name})", known)
        given[variable["name"]] = value
    return given


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """As overlay `cpu` sets it up, but for addresses and folders. It has answered and refused a page."""
    folder = tmp_path_factory.mktemp("deployed")
    key, line = new_key("tests")
    (folder / "keys").write_text(line)
    manifests = rendered("overlays/cpu")
    given = container_environment(Pod(one("Deployment", manifests)), settings(manifests))
    metrics_port = _free_port()
    audit = folder / given["ECG_AUDIT_DIR"].lstrip("/")
    here = {"ECG_HOST": "127.0.0.1", "ECG_PORT": "0", "ECG_MODELS_DIR": str(REPOSITORY / "models")}
    folders = {"ECG_KEYS_FILE": str(folder / "keys"), "ECG_AUDIT_DIR": str(audit)}
    metrics = {"ECG_METRICS_PORT": str(metrics_port)}
    with running(environment(REPOSITORY / "models", **{**given, **here, **folders, **metrics})) as process:
        process.client.headers["Authorization"] = f"Bearer {key}"
        _count_something(process.client)
        prometheus = httpx.Client(base_url=f"http://127.0.0.1:{metrics_port}")
        with prometheus, httpx.Client(base_url=process.url) as anyone:
            yield Deployed(process, anyone, audit, Scrape(prometheus))


def _count_something(client: httpx.Client) -> None:
    """A page that is referred, by a model without thresholds, and one whose answer comes too late: 503."""
    assert client.post("/classify?model=crnn", content=page_jpeg()).json()["reasons"]
    late = client.post("/classify", content=page_jpeg(), headers={"X-Request-Deadline-Ms": "1"})
    assert late.status_code == httpx.codes.SERVICE_UNAVAILABLE


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
