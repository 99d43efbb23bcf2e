"""Fixtures: a service that answers, its servers, and ECGs as DICOM objects."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_registry.registry import Registry
from tests.bundles import publish_readers
from tests.factories import HEIGHT_PX, WIDTH_PX, page_jpeg
from tests.gateway.servers import TOOLS, in_a_study
from tests.service.process import Process, environment, running
from tests.sources.dicoms import jpeg_capture


@pytest.fixture(scope="session")
def tools() -> None:
    """Orthanc, dcmtk and dicom3tools; their absence skips, and fails where CI runs."""
    missing = [name for name, program in TOOLS.items() if not program]
    if missing:
        message = f"NEEDS {', '.join(missing)}: apt-get install orthanc orthanc-dicomweb dcmtk dicom3tools"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="session")
def audit_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service writes its audit."""
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, audit_dir: Path) -> Iterator[Process]:
    """A service whose model always says that the ECG is normal."""
    models = tmp_path_factory.mktemp("models")
    registry = Registry(models)
    registry.promote(publish_readers(registry))
    with running(environment(models, ECG_AUDIT_DIR=str(audit_dir))) as process:
        yield process


@pytest.fixture(scope="session")
def capture() -> bytes:
    """A Secondary Capture of a report page."""
    return jpeg_capture(page_jpeg(), (WIDTH_PX, HEIGHT_PX))


@pytest.fixture
def ecg_file(tmp_path: Path, capture: bytes) -> Callable[..., Path]:
    """Write an ECG in a study of its own to a file."""

    def write(data: bytes = capture, **changes: object) -> Path:
        path = tmp_path / f"ecg{len(list(tmp_path.glob('ecg*')))}.dcm"
        path.write_bytes(in_a_study(data, **changes))
        return path

    return write
