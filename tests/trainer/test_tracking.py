"""A published bundle stands in MLflow with its parameters, figures and files."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from model_registry.manifest import HISTORY_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny
from trainer.__main__ import main
from trainer.errors import RunError
from trainer.tracking import Tracker

EPOCHS = [{"loss": 0.9, "accuracy": 0.5}, {"loss": 0.4, "accuracy": 0.75}]


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store on disk: the small MLflow client asks for consent to one."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


def test_bundle_is_logged_with_parameters_figures_and_files(uri: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    files = {HISTORY_FILE: json.dumps(EPOCHS).encode()}
    reference = publish_tiny(
        registry, files=files, metrics={"accuracy": 0.9, "page": {"f1": 0.8}}, origin={"train": {"seed": 7}}
    )
    run_id = Tracker(uri).log(registry, reference)
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(run_id)
    assert run.info.run_name == reference
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.seed": "7"}
    assert run.data.metrics["accuracy"] == 0.9
    assert run.data.metrics["page.f1"] == 0.8
    losses = client.get_metric_history(run_id, "network_0/loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 0.9), (2, 0.4)]
    bundle = Path(client.download_artifacts(run_id, "bundle", str(tmp_path)))
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == registry.files(reference)


def test_second_bundle_is_another_run_of_the_experiment(uri: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    runs = {Tracker(uri).log(registry, publish_tiny(registry)) for _ in range(2)}
    assert len(runs) == 2
    assert len(MlflowClient(tracking_uri=uri).search_experiments(filter_string="name = 'ecg-report-classifier'")) == 1


def test_unusable_server_is_refused() -> None:
    with pytest.raises(RunError, match="MLflow at nonsense://x cannot be used"):
        Tracker("nonsense://x")


def test_server_is_asked_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["run", str(tmp_path), "--arch", "crnn", "--mlflow", "nonsense://x", "--runs", str(tmp_path / "r")]) == 1
    )
    assert "MLflow at nonsense://x cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
