"""What each side may load: checked in fresh interpreters, by what they import."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TRAINING_STACK = frozenset(
    ["keras", "matplotlib", "scipy", "skimage", "sklearn", "synthetic", "tensorflow", "tf2onnx", "tqdm", "trainer"]
)
WEB_STACK = ("fastapi", "pydantic_settings", "service", "starlette", "uvicorn")

LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded_by(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\n{LOADED}"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return set(run.stdout.splitlines()[-1].split())


def test_serving_loads_no_training_stack() -> None:
    assert not loaded_by("import service.app").intersection(TRAINING_STACK)


def test_the_shared_packages_load_neither_side() -> None:
    loaded = loaded_by("import model_registry.registry, shared_preproc.pipeline")
    assert not loaded.intersection((*TRAINING_STACK, *WEB_STACK, "onnxruntime"))


def test_preprocessing_loads_no_registry() -> None:
    assert not loaded_by("import shared_preproc.pipeline").intersection(("model_registry", "onnx", "pydantic"))


def test_steps_without_a_network_load_no_tensorflow(tmp_path: Path) -> None:
    steps: tuple[tuple[object, ...], ...] = (
        ("synth", tmp_path / "out", "--count", 1),
        ("audit", tmp_path),
        ("prepare", tmp_path, tmp_path / "out"),
        ("promote", "none/1", "--registry", tmp_path),
        ("list", "--registry", tmp_path),
    )
    mains = "; ".join(f"main({[str(word) for word in step]!r})" for step in steps)
    loaded = loaded_by(f"from trainer.__main__ import main; {mains}")
    assert not loaded.intersection(("keras", "tensorflow", "tf2onnx", *WEB_STACK))


@pytest.mark.slow
def test_training_loads_no_web_stack() -> None:
    assert not loaded_by("import trainer.score, trainer.train").intersection(WEB_STACK)
