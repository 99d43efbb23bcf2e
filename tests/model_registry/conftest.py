"""An empty registry."""

from pathlib import Path

import pytest

from model_registry.registry import Registry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The registry's folder, which nobody has made yet."""
    return tmp_path / "registry"


@pytest.fixture
def registry(path: Path) -> Registry:
    return Registry(path)
