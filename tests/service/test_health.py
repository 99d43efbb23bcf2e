"""When the service says that it is ready, and when it says why it is not."""

from pathlib import Path
from threading import Event

import httpx

from model_registry.bundle import Bundle
from model_registry.registry import Registry
from service import __version__
from service.models.onnx import Classifier, OnnxClassifier
from tests.bundles import publish_tiny
from tests.factories import page_jpeg
from tests.service.serving import problem, serving, settings_for, wait_until


def reason(client: httpx.Client) -> str:
    response = client.get("/health")
    assert response.headers["retry-after"] == "5"
    found: str = problem(response, 503, "not_ready")["found"]
    return found


def test_ready(client: httpx.Client) -> None:
    expected: dict[str, object] = {"status": "ok", "model": "tiny/1", "provider": "cpu", "version": __version__}
    expected |= {"pending": None, "problem": None, "degraded": []}
    for path in ("/health", "/health/ready"):
        assert (client.get(path).status_code, client.get(path).json()) == (200, expected)
    assert client.get("/health/live").json() == {"status": "alive"}


def test_starting(models_dir: Path) -> None:
    loaded = Event()

    def open_slowly(bundle: Bundle) -> Classifier:
        assert loaded.wait(10)
        return OnnxClassifier(bundle, wanted="cpu", threads=1)

    with serving(settings_for(models_dir), open_slowly, until_ready=False) as client:
        assert reason(client) == "the default model is still being loaded"
        assert client.get("/health/live").status_code == 200
        problem(client.post("/classify", content=page_jpeg()), 503, "not_ready")
        loaded.set()
        wait_until(lambda: client.get("/health/ready").is_success)
        assert client.post("/classify", content=page_jpeg()).is_success


def test_without_a_default_model_until_there_is_one(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path), until_ready=False) as client:
        wait_until(lambda: "no bundle or alias production" in reason(client))
        assert client.get("/health/live").status_code == 200
        problem(client.post("/classify", content=page_jpeg()), 503, "not_ready")
        registry = Registry(tmp_path)
        registry.promote(publish_tiny(registry))
        wait_until(lambda: client.get("/health").is_success)
        assert client.post("/classify", content=page_jpeg()).is_success


def test_a_broken_default_model_is_told_with_its_reason(models_dir: Path) -> None:
    with serving(settings_for(models_dir, default_model="damaged"), until_ready=False) as client:
        wait_until(lambda: "damaged/1: model.onnx has the SHA-256" in reason(client))
        assert client.post("/classify?model=tiny", content=page_jpeg()).is_success


def test_whatever_keeps_the_default_model_from_loading_is_told(models_dir: Path) -> None:
    def open_without_memory(_: Bundle) -> Classifier:
        raise MemoryError

    with serving(settings_for(models_dir), open_without_memory, until_ready=False) as client:
        wait_until(lambda: "MemoryError" in reason(client))
