"""Run a bundle's graph in ONNX Runtime: tensors to probabilities, each answer checked.

Scaling, calibration and aggregation are inside the graph.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model_registry.bundle import Bundle
from model_registry.manifest import (
    FINDING_PROBABILITIES,
    LEAD_PROBABILITIES,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
    BundleManifest,
)
from model_registry.policy import Leading
from service.errors import BrokenModelError, StartupError
from service.models.watchdog import Watchdog
from service.settings import Provider
from shared_preproc.tensor import Tensor

__all__ = ["Classifier", "OnnxClassifier", "Probabilities", "blank_pages", "choose_providers", "onnx_opener"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_SHORT_NAMES = {_CPU: "cpu", _CUDA: "cuda"}
_READERS: tuple[Leading, ...] = ("class_network", "findings_network")
_ROUNDING = 1e-3
_RUN_TIMEOUT_S = 20.0
"""A page takes a few hundredths of a second; the slowest explanation on one core, a few seconds."""
_OPTIONAL = (READER_PROBABILITIES, FINDING_PROBABILITIES)
_WATCHDOG = Watchdog()  # one thread for all models; a thread for each run would wait for the interpreter


@dataclass(frozen=True, eq=False)
class Probabilities:
    """What a model says about a batch of pages; classes in the order of the manifest."""

    leads: NDArray[np.float32]
    """(pages, leads, classes), leads in the order of the tensor."""
    pages: NDArray[np.float32]
    """(pages, classes)."""
    readers: NDArray[np.float32] | None = None
    """(pages, 2, classes): the class network's own answer, then the findings network's; None: one reader only."""
    findings: NDArray[np.float32] | None = None
    """(pages, findings), in the order of the manifest; None where the graph gives none."""

    def led_by(self, leading: Leading) -> NDArray[np.float32]:
        """The pages' answers by the reader that leads: (pages, classes)."""
        if leading == "fused" or self.readers is None:
            return self.pages
        return self.readers[:, _READERS.index(leading)]

    def rows(self, rows: slice) -> "Probabilities":
        """What is said about some of the pages."""
        readers, findings = (None if part is None else part[rows] for part in (self.readers, self.findings))
        return Probabilities(self.leads[rows], self.pages[rows], readers, findings)


class Classifier(Protocol):
    """A model that is ready to run, from several threads at once."""

    @property
    def provider(self) -> str:
        """Where it runs: ``cpu`` or ``cuda``."""

    @property
    def failure(self) -> str | None:
        """Why the model must not be asked any more; ``None``: it may."""

    def run(self, tensor: Tensor) -> Probabilities:
        """Classify a batch of tensors, (pages, …) as the bundle's preprocessing makes them.

        Raises:
            BrokenModelError: the graph gives no probabilities, or does not end in time.
        """


def onnx_opener(wanted: Provider, threads: int) -> Callable[[Bundle], Classifier]:
    """What turns bundles into classifiers, once it is known where they will run.

    Raises:
        StartupError: CUDA is demanded and does not work here.
    """
    choose_providers(wanted, ort.get_available_providers())
    if wanted == "cuda":
        _require_cuda()
    return partial(OnnxClassifier, wanted=wanted, threads=threads)


def choose_providers(wanted: Provider, available: Sequence[str]) -> list[str]:
    """Name the execution providers to ask ONNX Runtime for, best first, given those its package was built with.

    Raises:
        StartupError: CUDA is demanded and this package cannot do it.
    """
    if wanted == "cpu" or (wanted == "auto" and _CUDA not in available):
        return [_CPU]
    if _CUDA not in available:
        raise StartupError(
            "ECG_PROVIDER is cuda, but the installed ONNX Runtime has no CUDA. "
            "Install this package with the extra `gpu`, or set ECG_PROVIDER to auto or cpu."
        )
    return [_CUDA, _CPU]


def blank_pages(manifest: BundleManifest, count: int) -> Tensor:
    """Pages to warm up with, (count, …) as the bundle's preprocessing makes them: no ink on any."""
    spec = manifest.preprocessing
    blank: Tensor = np.zeros((count, *spec.tensor_shape), spec.tensor_dtype)
    return blank


class OnnxClassifier:
    """A bundle's graph in an ONNX Runtime session of its own, warmed up and held to the bundle's contract."""

    def __init__(
        self, bundle: Bundle, *, wanted: Provider, threads: int, run_timeout_s: float = _RUN_TIMEOUT_S
    ) -> None:
        """Build the session from the bundle's verified bytes and run it once.

        Raises:
            BrokenModelError: the graph does not load or run, not on the provider that is demanded, or its outputs are
                not the manifest's probabilities.
        """
        providers = choose_providers(wanted, ort.get_available_providers())
        self._manifest = bundle.manifest
        self._output_names = _output_names(bundle.manifest)
        self._run_timeout_s = run_timeout_s
        self.failure: str | None = None
        try:
            self._session = ort.InferenceSession(bundle.model, _options(threads), providers=providers)
            # Otherwise a failing GPU would be traded for the CPU between two requests, unseen.
            self._session.disable_fallback()
            self.run(blank_pages(bundle.manifest, 1))
        except BrokenModelError:
            raise
        except Exception as error:  # ONNX Runtime raises a dozen classes of its own, without a common base
            raise _broken(bundle.manifest, "ONNX Runtime cannot run it") from error
        if wanted == "cuda" and self.provider != wanted:
            raise _broken(bundle.manifest, f"it runs on {self.provider} although cuda is demanded")

    @property
    def provider(self) -> str:
        """Where it runs, by what the session says rather than by what it was asked for."""
        first: str = self._session.get_providers()[0]
        return _SHORT_NAMES.get(first, first)

    def run(self, tensor: Tensor) -> Probabilities:
        """Classify a batch of tensors, (pages, …) as the bundle's preprocessing makes them.

        Input and outputs are bound, so that each is copied once to or from a GPU.

        Raises:
            BrokenModelError: the graph gives no probabilities, or this or an earlier run did not end in time.
        """
        if self.failure is not None:
            raise _broken(self._manifest, self.failure)
        binding = self._session.io_binding()  # one for each call: threads cannot share it
        binding.bind_cpu_input(self._manifest.input.name, np.ascontiguousarray(tensor))
        for name in self._output_names:
            binding.bind_output(name)
        binding.synchronize_inputs()
        self._run_in_time(binding)
        outputs = dict(zip(self._output_names, binding.copy_outputs_to_cpu(), strict=True))
        answer = Probabilities(
            leads=outputs[LEAD_PROBABILITIES],
            pages=outputs[PAGE_PROBABILITIES],
            readers=outputs.get(READER_PROBABILITIES),
            findings=outputs.get(FINDING_PROBABILITIES),
        )
        _check_probabilities(answer, self._manifest, pages=len(tensor))
        return answer

    def _run_in_time(self, binding: ort.IOBinding) -> None:
        try:
            with _WATCHDOG.limit(self._run_timeout_s, self._give_up) as options:
                self._session.run_with_iobinding(binding, options)
        except Exception as error:  # of ONNX Runtime, of whatever class
            if self.failure is None:
                raise
            raise _broken(self._manifest, self.failure) from error

    def _give_up(self) -> None:
        self.failure = f"it did not answer within {self._run_timeout_s:g} s"


def _require_cuda() -> None:
    # A package built with CUDA lists it on machines that have none, and its sessions then run on the CPU silently.
    session = ort.InferenceSession(_identity_graph(), _options(threads=1), providers=[_CUDA, _CPU])
    if _CUDA not in session.get_providers():
        raise StartupError(
            "ECG_PROVIDER is cuda, but ONNX Runtime cannot use CUDA on this machine. "
            "Check the driver, CUDA and cuDNN, or set ECG_PROVIDER to auto or cpu."
        )


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Spinning threads cost 35 to 60 % more CPU as soon as requests run side by side.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _output_names(manifest: BundleManifest) -> list[str]:
    listed = {output.name for output in manifest.outputs}
    return [LEAD_PROBABILITIES, PAGE_PROBABILITIES, *(name for name in _OPTIONAL if name in listed)]


def _check_probabilities(answer: Probabilities, manifest: BundleManifest, pages: int) -> None:
    classes, leads = len(manifest.class_names), len(manifest.preprocessing.layout.leads)
    for output, expected in (
        (answer.leads, (pages, leads, classes)),
        (answer.pages, (pages, classes)),
        (answer.readers, (pages, len(_READERS), classes)),
        (answer.findings, (pages, len(manifest.findings))),
    ):
        if output is None:
            continue
        if output.shape != expected:
            raise _broken(manifest, f"it gives an output of shape {output.shape}, expected {expected}")
        # Findings do not exclude each other; classes do. NaN fails every comparison.
        sums_to_1 = output is answer.findings or (np.abs(output.sum(axis=-1) - 1) <= _ROUNDING).all()
        if not ((output >= 0).all() and (output <= 1 + _ROUNDING).all() and sums_to_1):
            raise _broken(manifest, "it gives numbers that are no probabilities")


def _broken(manifest: BundleManifest, found: str) -> BrokenModelError:
    return BrokenModelError(
        found=f"{manifest.ref}: {found}",
        expected="a graph that gives the probabilities of each lead and of the page",
        remedy="Ask for another model. The publisher of this one has to correct it.",
    )


def _identity_graph() -> bytes:
    number = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    same = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [number], [same])
    model: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return model
