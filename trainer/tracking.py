"""A published bundle as a run in MLflow: its parameters, its figures, how its networks learned, and its files."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_registry.history import Epoch, read_history
from model_registry.manifest import HISTORY_FILE
from model_registry.registry import Registry
from trainer.errors import RunError

__all__ = ["Tracker"]

_EXPERIMENT = "ecg-report-classifier"
_LONGEST_PARAMETER = 500


class Tracker:
    """One MLflow tracking server, checked before hours of training depend on it."""

    def __init__(self, uri: str) -> None:
        """Find or create the experiment at ``uri``.

        Raises:
            RunError: MLflow is not installed, or the server does not answer.
        """
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        try:
            from mlflow import MlflowClient  # noqa: PLC0415 - an optional extra
            from mlflow.exceptions import MlflowException  # noqa: PLC0415
        except ImportError as error:
            raise RunError("--mlflow needs MLflow: install this package with the extra mlflow") from error
        try:
            self._client = MlflowClient(tracking_uri=uri)
            known = self._client.get_experiment_by_name(_EXPERIMENT)
            self._experiment_id = known.experiment_id if known else self._client.create_experiment(_EXPERIMENT)
        except (MlflowException, OSError) as error:
            raise RunError(f"MLflow at {uri} cannot be used: {error}") from error

    def log(self, registry: Registry, reference: str) -> str:
        """Log a published bundle as a run of its name; gives the run's id.

        Parameters are the manifest's ``origin``, metrics its ``metrics`` and the figures of each network by epoch,
        artifacts the bundle's files.

        Raises:
            RegistryError: the bundle cannot be read.
        """
        manifest, files = registry.load(reference).manifest, registry.files(reference)
        client, run_id = self._client, self._client.create_run(self._experiment_id, run_name=manifest.ref).info.run_id
        for name, value in _leaves(manifest.origin):
            client.log_param(run_id, name, str(value)[:_LONGEST_PARAMETER])
        for name, value in _leaves(manifest.metrics):
            if isinstance(value, int | float):
                client.log_metric(run_id, name, value)
        history = read_history(files.get(HISTORY_FILE, b""))
        for number, epochs in enumerate(history.networks if history else ()):
            for step, epoch in enumerate(epochs, start=1):
                for figure, value in _figures(epoch):
                    client.log_metric(run_id, f"network_{number}/{figure}", value, step=step)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            client.log_artifacts(run_id, folder, "bundle")
        client.set_terminated(run_id)
        return str(run_id)


def _figures(epoch: Epoch) -> list[tuple[str, float]]:
    return [(name, value) for name, value in epoch.model_dump().items() if value is not None]


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten nested mappings: ``{"a": {"b": 1}}`` gives ``a.b``."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
