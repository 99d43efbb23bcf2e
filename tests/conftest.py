"""Fixtures: the shared data, which is not part of the project, and a short training run on synthetic pages."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainer.config import TrainConfig
from trainer.dataset import read_pages
from trainer.prepare import prepare
from trainer.run import Run
from trainer.synth import synthesize

if TYPE_CHECKING:
    from tests.fusion_run import FusionRun
    from trainer.evaluate import Evaluation

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real pages and golden lead images; its absence skips, and fails where CI runs."""
    folder = Path(os.environ.get("ECG_SHARED_DIR", REPOSITORY.parent / "shared"))
    if not (folder / "golden").is_dir():
        message = "NEEDS THE SHARED DATA: set ECG_SHARED_DIR to the folder that holds golden/ and data/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def golden_pages(shared_dir: Path) -> list[Path]:
    """Twelve real pages; beside each, without the ending, the folder of its thirteen expected lead images."""
    pages = sorted(shared_dir.glob("golden/*/*.jpg"))
    assert len(pages) == 12
    return pages


@pytest.fixture(scope="session")
def published_pages(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every published file of the development pages, copies included, as class folders."""
    folder = tmp_path_factory.mktemp("published")
    subprocess.run([sys.executable, shared_dir / "data" / "unpack", folder, "--published"], check=True)
    return folder


@pytest.fixture(scope="session")
def synthetic_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty labelled pages: the smallest set whose every class reaches each twentieth."""
    folder = tmp_path_factory.mktemp("synthetic")
    synthesize(folder, count=80, seed=0)
    return folder


@pytest.fixture(scope="session")
def prepared(synthetic_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lead images of `synthetic_pages`, leak-free."""
    folder = tmp_path_factory.mktemp("lead-images") / "prepared"
    prepare(read_pages(synthetic_pages, synthetic_pages / "records.csv"), folder, "leak-free", 0)
    return folder


@pytest.fixture(scope="session")
def few_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four labelled synthetic pages: enough to train on for a moment."""
    folder = tmp_path_factory.mktemp("few")
    synthesize(folder, count=24, seed=1)
    return folder


@pytest.fixture(scope="session")
def few_prepared(few_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lead images of `few_pages`."""
    folder = tmp_path_factory.mktemp("few-lead-images") / "prepared"
    prepare(read_pages(few_pages), folder, "published", 0)
    return folder


@pytest.fixture(scope="session")
def trained(few_prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A CRNN after one epoch on `few_pages`."""
    from trainer.train import train  # noqa: PLC0415 - TensorFlow only where a network is trained

    return train(few_prepared, tmp_path_factory.mktemp("runs") / "crnn", TrainConfig("crnn", epochs=1))


@pytest.fixture(scope="session")
def evaluated(trained: Run) -> Run:
    """`trained`, converted to the graph that is served and scored with it."""
    from trainer.score import score  # noqa: PLC0415 - as above

    score(trained)
    return trained


@pytest.fixture(scope="session")
def evaluation(synthetic_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> "Evaluation":
    """A quick evaluation on `synthetic_pages`, of all that is not slow."""
    from trainer.evaluate import Evaluation  # noqa: PLC0415 - as above

    pages = read_pages(synthetic_pages, synthetic_pages / "records.csv")
    evaluation = Evaluation(pages, tmp_path_factory.mktemp("evaluation"), quick=True)
    evaluation.run()
    return evaluation


@pytest.fixture(scope="session")
def fusion_run(
    evaluation: "Evaluation", synthetic_pages: Path, tmp_path_factory: pytest.TempPathFactory
) -> "FusionRun":
    """A bundle of two readers by `trainer run --quick`, which takes up `evaluation`."""
    from tests.fusion_run import run_fusion  # noqa: PLC0415 - as above

    return run_fusion(evaluation, synthetic_pages, tmp_path_factory.mktemp("fusion"))
