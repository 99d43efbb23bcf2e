"""The trainer calls no one and leaves the home folder alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

EVERYTHING = """
import importlib, pkgutil
import numpy as np
import trainer
for module in pkgutil.walk_packages(trainer.__path__, "trainer."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from tests.bundles import tiny_model
from shared_preproc.spec import MASKS_150
from trainer.session import run_outputs
run_outputs(tiny_model(), np.zeros((1, *MASKS_150.tensor_shape), np.uint8), ["page_probabilities"])
"""
OFF_BY_ITSELF = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "KERAS_HOME", "XDG_CACHE_HOME")
"""Variables by which a library keeps quiet, and which would hide that the trainer does not see to it."""


@pytest.mark.slow
def test_every_module_leaves_the_home_folder_alone(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in OFF_BY_ITSELF}
    environment |= {"HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path.parent / "matplotlib")}  # a cache of fonts
    subprocess.run([sys.executable, "-c", EVERYTHING], env=environment, cwd=REPOSITORY, check=True, timeout=300)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.slow
def test_tensorflow_says_nothing_at_its_start() -> None:
    program = "import trainer.quiet as q; q.import_tensorflow(); import tensorflow as tf; tf.constant(1) + 1"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=300
    )
    assert run.stderr == run.stdout == ""
