"""A registry with whole and broken bundles, and a service on it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_registry.manifest import MODEL_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny, tiny_model
from tests.service.serving import serving, settings_for


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1, which is `production`; tiny/2 and other/1, whose answers differ; damaged/1. Tests only read it."""
    folder = tmp_path_factory.mktemp("models")
    registry = Registry(folder)
    registry.promote(publish_tiny(registry))
    publish_tiny(registry, files={MODEL_FILE: tiny_model(sharpness=4.0)})
    publish_tiny(registry, "other", files={MODEL_FILE: tiny_model(sharpness=2.0)})
    damaged = folder / publish_tiny(registry, "damaged") / MODEL_FILE
    damaged.write_bytes(damaged.read_bytes()[:-1])
    return folder


@pytest.fixture(scope="session")
def client(models_dir: Path) -> Iterator[httpx.Client]:
    with serving(settings_for(models_dir, body_timeout_s=2.0, header_timeout_s=2.0)) as client:
        yield client
