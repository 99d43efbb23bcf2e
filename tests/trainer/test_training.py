"""From lead images to a published bundle, with a real network trained for a moment."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from model_registry.registry import Registry
from shared_preproc.pipeline import preprocess
from shared_preproc.spec import MASKS_150
from trainer.__main__ import main
from trainer.config import ARCHITECTURES, Architecture, TrainConfig
from trainer.dataset import read_pages
from trainer.errors import RunError
from trainer.export import PARITY_LIMIT, export, page_graph, run_graph
from trainer.models import build, fold_channels
from trainer.prepare import load_lead_images, prepare
from trainer.run import Run
from trainer.train import _seed_dropout, train

pytestmark = pytest.mark.slow


def test_the_cnn_has_the_published_size() -> None:
    assert build("cnn", 150, 150, 4).count_params() == pytest.approx(18.9e6, rel=0.01)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_folding_equal_channels_changes_no_answer(architecture: Architecture) -> None:
    model = build(architecture, 150, 150, 4)
    images = np.random.default_rng(0).choice([0, 255], (5, 150, 150, 1)).astype(np.uint8)
    folded = fold_channels(model, architecture)
    assert folded.count_params() == model.count_params() - 2 * 9 * 32
    np.testing.assert_allclose(folded.predict(images, verbose=0), model.predict(images, verbose=0), atol=PARITY_LIMIT)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_graph_answers_as_keras_does_on_real_pages(architecture: Architecture, golden_pages: list[Path]) -> None:
    tensors = np.stack([preprocess(page.read_bytes(), MASKS_150) for page in golden_pages])
    model = build(architecture, 150, 150, 4)
    by_lead, by_page = run_graph(page_graph(model, architecture), tensors)
    expected = model.predict(tensors.reshape(-1, 150, 150, 1), verbose=0).reshape(-1, 13, 4)
    np.testing.assert_allclose(by_lead, expected, atol=PARITY_LIMIT)
    np.testing.assert_allclose(by_page, expected.mean(axis=1), atol=PARITY_LIMIT)


def test_a_run_folder_says_how_it_came_about(trained: Run) -> None:
    assert trained.config == TrainConfig("crnn", epochs=1)
    assert set(trained.history[0]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert {"config.json", "curves.png", "epoch_01.keras", "history.json", "split.json"} <= {
        path.name for path in trained.folder.iterdir()
    }


def test_a_killed_training_goes_on_where_it_stood(trained: Run, few_prepared: Path, tmp_path: Path) -> None:
    """One epoch, then a second after a restart, are the two epochs of a run that was never stopped."""
    config = TrainConfig("crnn", epochs=2)
    straight = train(few_prepared, tmp_path / "straight", config)
    stopped = Run(tmp_path / "stopped")
    shutil.copytree(trained.folder, stopped.folder)
    settings = stopped.read_json("config.json")
    stopped.write_json("config.json", {**settings, "train": {**settings["train"], "epochs": 2}})
    resumed = train(few_prepared, stopped.folder, config)
    assert len(resumed.history) == 2
    for one, other in zip(resumed.history, straight.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=0.02)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=0.02)
    assert list(resumed.folder.glob("tensorboard/events.*"))


def test_dropout_depends_on_seed_and_epoch_alone() -> None:
    """A network read back from disk draws the masks that the network of a run never stopped draws."""
    states = []
    for drawn, (seed, epoch) in enumerate([(0, 1), (0, 1), (0, 2), (1, 1)]):
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
        for _ in range(drawn):
            model(np.ones((1, 8), np.float32), training=True)
        _seed_dropout(model, seed, epoch)
        states.append(tuple(tuple(layer.seed_generator.state.numpy()) for layer in model.layers))
    one, other, *different = states
    assert one == other
    assert len({one, *different, (one[1],)}) == 4
    assert one[0] != one[1]


def test_a_finished_run_is_left_alone(trained: Run, few_prepared: Path) -> None:
    before = trained.checkpoint(1).stat().st_mtime_ns
    train(few_prepared, trained.folder, trained.config)
    assert trained.checkpoint(1).stat().st_mtime_ns == before


def test_a_run_folder_of_other_settings_is_refused(trained: Run, few_prepared: Path) -> None:
    with pytest.raises(RunError, match="other settings"):
        train(few_prepared, trained.folder, TrainConfig("crnn", epochs=7))


def test_a_run_is_bound_to_its_split(trained: Run, few_pages: Path, few_prepared: Path, tmp_path: Path) -> None:
    """Pages trained on must never be scored because their folder was prepared anew."""
    run = Run(tmp_path / "run")
    shutil.copytree(trained.folder, run.folder)
    settings = run.read_json("config.json")
    other = tmp_path / "other"
    prepare(read_pages(few_pages), other, "published", seed=1)
    run.write_json("config.json", {**settings, "prepared": {**settings["prepared"], "folder": str(other)}})
    with pytest.raises(RunError, match="no longer holds the split"):
        run.lead_images("test")
    with pytest.raises(RunError, match="another split"):
        train(other, trained.folder, trained.config)
    assert len(trained.lead_images("test").pages) == len(load_lead_images(few_prepared, "test").pages)


def test_the_last_and_the_best_epoch_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    history = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.5], start=1):
        run.checkpoint(epoch).touch()
        history.append({"val_loss": loss})
        run.finish_epoch(history)
    assert run.best_epoch == 2
    assert sorted(path.name for path in tmp_path.glob("*.keras")) == ["epoch_02.keras", "epoch_04.keras"]


def test_evaluation_scores_every_held_out_page(evaluated: Run, few_prepared: Path) -> None:
    predictions = evaluated.read_json("predictions.json")
    for split in ("validation", "test"):
        rows = [row for row in predictions if row["split"] == split]
        figures = evaluated.read_json("report.json")["figures"][split]
        assert len(rows) == figures["page"]["rows"] == len(load_lead_images(few_prepared, split).pages)
        assert figures["lead_image"]["rows"] == 13 * len(rows)
        right = sum(
            max(zip(row["page_probabilities"], figures["page"]["classes"], strict=True))[1] == row["class"]
            for row in rows
        )
        assert figures["page"]["accuracy"] == pytest.approx(right / len(rows))
        for row in rows:
            np.testing.assert_allclose(np.mean(row["lead_probabilities"], axis=0), row["page_probabilities"], atol=1e-6)
    assert "published protocol" in (evaluated.folder / "report.md").read_text()


def test_export_publishes_what_was_evaluated(evaluated: Run, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bundle = registry.load(export(evaluated, registry))
    assert bundle.golden
    _, answer = run_graph(bundle.model, bundle.golden.tensor(bundle.manifest.preprocessing))
    assert bundle.golden.largest_difference(answer) < PARITY_LIMIT
    manifest = bundle.manifest
    assert manifest.ref == "crnn/1"
    assert bundle.model == (evaluated.folder / "model.onnx").read_bytes()
    assert manifest.metrics == evaluated.read_json("report.json")["headline"]
    assert manifest.origin["parity"] == evaluated.read_json("parity.json")
    assert evaluated.read_json("parity.json")["largest_difference"] <= PARITY_LIMIT
    graph = onnx.load_model_from_string(bundle.model).graph
    assert [node.op_type for node in graph.node].count("LSTM") == 2
    assert {value.type.tensor_type.shape.dim[0].dim_param for value in (*graph.input, *graph.output)} == {"pages"}


def test_export_needs_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="run the earlier steps"):
        export(Run(tmp_path), Registry(tmp_path / "registry"))


def test_one_command_goes_from_pages_to_a_promoted_bundle(
    few_pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "run",
        few_pages,
        "--arch",
        "crnn",
        "--protocol",
        "published",
        "--epochs",
        1,
        "--runs",
        tmp_path / "runs",
    ]
    command = [*map(str, arguments), "--registry", str(tmp_path / "models")]
    registry = Registry(tmp_path / "models")
    assert main(command) == 0
    assert "not promoted: crnn/1 has no thresholds" in capsys.readouterr().out
    assert registry.aliases() == {}
    assert main([*command, "--force"]) == 0
    assert registry.aliases() == {"production": "crnn/2"}
    assert json.loads(json.dumps(registry.load("production").manifest.metrics))["protocol"] == "published"
