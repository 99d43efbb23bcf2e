"""Fixtures: synthetic pages, and short training runs on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.fusion_run import FusionRun, run_fusion
from trainer.config import ClassNetworkConfig, FindingsConfig, TrainConfig
from trainer.dataset import read_pages
from trainer.evaluate import Evaluation
from trainer.prepare import prepare
from trainer.run import Run
from trainer.score import score
from trainer.synth import synthesize
from trainer.train import train


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
    return train(few_prepared, tmp_path_factory.mktemp("runs") / "crnn", TrainConfig("crnn", epochs=1))


@pytest.fixture(scope="session")
def evaluated(trained: Run) -> Run:
    """`trained`, converted to the graph that is served and scored with it."""
    score(trained)
    return trained


@pytest.fixture(scope="session", autouse=True)
def brief_quick() -> Iterator[None]:
    """Cut ``--quick`` to one epoch: tests ask whether the steps fit together, not how good the networks are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassNetworkConfig, "quick", classmethod(lambda cls: cls(epochs=1)))
        patch.setattr(FindingsConfig, "quick", classmethod(lambda cls: cls(epochs=1.0)))
        yield


@pytest.fixture(scope="session")
def evaluation(synthetic_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """A quick evaluation on `synthetic_pages`, of all that is not slow."""
    pages = read_pages(synthetic_pages, synthetic_pages / "records.csv")
    evaluation = Evaluation(pages, tmp_path_factory.mktemp("evaluation"), quick=True)
    evaluation.run()
    return evaluation


@pytest.fixture(scope="session")
def fusion_run(evaluation: Evaluation, synthetic_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> FusionRun:
    """A bundle of two readers by `trainer run --quick`, which takes up `evaluation`."""
    return run_fusion(evaluation, synthetic_pages, tmp_path_factory.mktemp("fusion"))
