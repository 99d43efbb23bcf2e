"""The very functions of the service, for other hosts: a page in, the service's own answer out.

Runs in the environment of a peer, which has neither FastAPI's extras nor anything else that only the service needs.
"""

import os
import uuid
from pathlib import Path

import cv2

from model_registry.registry import Registry
from service.classify import LoadedModel, classify
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
from service.schemas.classification import Classification

__all__ = ["MODEL", "MODELS_DIR", "PORT", "WORKERS", "Hosted"]

PORT, WORKERS, MODELS_DIR, MODEL = (f"PEER_{name}" for name in ("PORT", "WORKERS", "MODELS_DIR", "MODEL"))
"""Names of the environment variables that tell a host what to do."""


class Hosted:
    """A bundle that is ready to answer, one thread for each step, as in the service."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        bundle = Catalog(Registry(Path(os.environ[MODELS_DIR]))).load(os.environ[MODEL])
        self._model = LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))

    def answer(self, page: bytes) -> bytes:
        """Classify a page: the JSON that the service sends."""
        return Classification.of(classify(page, self._model), uuid.uuid4().hex).model_dump_json().encode()
