"""Fixtures: two tiny models, and a hundred files of an archive."""

import os
import subprocess
from pathlib import Path

import pytest

from model_registry.registry import Registry
from tests.batch.archive import LIMIT_S, Program, started
from tests.bundles import policy, publish_tiny, tiny_model
from tests.factories import blank_png, heic, page_jpeg, truncated_jpeg

PAGES = 100


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry: `tiny/1`, which is the default, and `other/1`, which answers differently."""
    folder = tmp_path_factory.mktemp("models")
    registry = Registry(folder)
    registry.promote(publish_tiny(registry, decision=policy()))
    publish_tiny(registry, "other", decision=policy(), files={"model.onnx": tiny_model(sharpness=1000.0)})
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four pages, and three files that are refused."""
    folder = tmp_path_factory.mktemp("drawn")
    pages = [page_jpeg("normal", seed) for seed in range(4)]
    files = [folder / f"{number}.jpg" for number in range(7)]
    for file, content in zip(files, (*pages, truncated_jpeg(), heic(), blank_png()), strict=True):
        file.write_bytes(content)
    return files


@pytest.fixture(scope="session")
def archive(drawn: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`PAGES` files: four pages over and over, and three that are refused."""
    folder = tmp_path_factory.mktemp("archive")
    pages, odd = drawn[:4], drawn[4:]
    for number in range(PAGES):
        source = odd[number] if number < len(odd) else pages[number % len(pages)]
        target = folder / f"{number // 50}" / f"{number:03d}.jpg"
        target.parent.mkdir(exist_ok=True)
        os.link(source, target)
    return folder


@pytest.fixture(scope="session")
def ecg_batch(models: Path) -> Program:
    """Run the program and wait for its end."""

    def run(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        with started(models, *arguments, **variables) as process:
            out, err = process.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess([*map(str, arguments)], process.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def finished(archive: Path, ecg_batch: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a whole run, for tests that only read it."""
    output = tmp_path_factory.mktemp("finished") / "output"
    done = ecg_batch("classify", archive, output)
    assert done.returncode == 0, done.stderr
    return output
