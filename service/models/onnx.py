"""Run a bundle's graph in ONNX Runtime, and check each answer."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Lock, Thread
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
from service.settings import Provider
from shared_preproc.tensor import Tensor

__all__ = ["Classifier", "OnnxClassifier", "Probabilities", "blank_pages", "choose_providers", "onnx_opener"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_SHORT_NAMES = {_CPU: "cpu", _CUDA: "cuda"}
_READERS: tuple[Leading, ...] = ("class_network", "findings_network")
_ROUNDING = 1e-3
_RUN_TIMEOUT_S = 20.0
"""The slowest explanation takes a few seconds."""
_TICK_S = 0.1
_OPTIONAL = (READER_PROBABILITIES, FINDING_PROBABILITIES)


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Answers about a batch of pages; classes and findings in the order of the manifest."""

    leads: NDArray[np.float32]
    """(pages, leads, classes), leads in page order."""
    pages: NDArray[np.float32]
    """(pages, classes)."""
    readers: NDArray[np.float32] | None = None
    """(pages, 2, classes): the class network, then the findings network."""
    findings: NDArray[np.float32] | None = None
    """(pages, findings)."""

    def led_by(self, leading: Leading) -> NDArray[np.float32]:
        """Return the leading reader's answers: (pages, classes)."""
        if leading == "fused" or self.readers is None:
            return self.pages
        return self.readers[:, _READERS.index(leading)]

    def rows(self, rows: slice) -> "Probabilities":
        """Return the answers about some pages."""
        readers, findings = (None if part is None else part[rows] for part in (self.readers, self.findings))
        return Probabilities(self.leads[rows], self.pages[rows], readers, findings)


class Classifier(Protocol):
    """A loaded model; threads may share it."""

    @property
    def provider(self) -> str:
        """``cpu`` or ``cuda``."""

    @property
    def failure(self) -> str | None:
        """Why the model can no longer run."""

    def run(self, tensor: Tensor) -> Probabilities:
        """Classify a batch, (pages, …) of the bundle's tensor shape and dtype.

        Raises:
            BrokenModelError: the graph gives no probabilities, or exceeds its time.
        """


def onnx_opener(wanted: Provider, threads: int) -> Callable[[Bundle], Classifier]:
    """Return a function that opens bundles, or raise `StartupError` without required CUDA."""
    choose_providers(wanted, ort.get_available_providers())
    if wanted == "cuda":
        _require_cuda()
    return partial(OnnxClassifier, wanted=wanted, threads=threads)


def choose_providers(wanted: Provider, available: Sequence[str]) -> list[str]:
    """Choose execution providers, best first, or raise `StartupError` without required CUDA."""
    if wanted == "cpu" or (wanted == "auto" and _CUDA not in available):
        return [_CPU]
    if _CUDA not in available:
        raise StartupError(
            "ECG_PROVIDER is cuda, but the installed ONNX Runtime has no CUDA. "
            "Install this package with the extra `gpu`, or set ECG_PROVIDER to auto or cpu."
        )
    return [_CUDA, _CPU]


def blank_pages(manifest: BundleManifest, pages: int) -> Tensor:
    """Make pages without ink, (pages, …)."""
    spec = manifest.preprocessing
    blank: Tensor = np.zeros((pages, *spec.tensor_shape), spec.tensor_dtype)
    return blank


class OnnxClassifier:
    """A bundle's graph in its own session."""

    def __init__(
        self, bundle: Bundle, *, wanted: Provider, threads: int, run_timeout_s: float = _RUN_TIMEOUT_S
    ) -> None:
        """Load the graph and run it once, or raise `BrokenModelError`."""
        providers = choose_providers(wanted, ort.get_available_providers())
        self._manifest = bundle.manifest
        self._output_names = _output_names(bundle.manifest)
        self._run_timeout_s = run_timeout_s
        self.failure: str | None = None
        try:
            self._session = ort.InferenceSession(bundle.model, _options(threads), providers=providers)
            # By default ONNX Runtime silently replaces a failing GPU with the CPU.
            self._session.disable_fallback()
            self.run(blank_pages(bundle.manifest, 1))
        except BrokenModelError:
            raise
        except Exception as error:  # no common base class
            raise _broken(bundle.manifest, "ONNX Runtime cannot run it") from error
        if wanted == "cuda" and self.provider != wanted:
            raise _broken(bundle.manifest, f"it runs on {self.provider} although cuda is demanded")

    @property
    def provider(self) -> str:
        """As `Classifier.provider`."""
        first: str = self._session.get_providers()[0]
        return _SHORT_NAMES.get(first, first)

    def run(self, tensor: Tensor) -> Probabilities:
        """As `Classifier.run`; after a timeout, every run fails."""
        if self.failure is not None:
            raise _broken(self._manifest, self.failure)
        binding = self._session.io_binding()  # threads cannot share it
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
        except Exception as error:  # no common base class
            if self.failure is None:
                raise
            raise _broken(self._manifest, self.failure) from error

    def _give_up(self) -> None:
        self.failure = f"it did not answer within {self._run_timeout_s:g} s"


class _Watchdog:
    """Terminate slow runs, from one thread for all models."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._runs: dict[int, tuple[float, Callable[[], None]]] = {}
        """Each run's deadline (monotonic), and what stops it."""
        self._thread: Thread | None = None

    @contextmanager
    def limit(self, timeout_s: float, on_timeout: Callable[[], None]) -> Iterator[ort.RunOptions]:
        """Give one run its options; after ``timeout_s``, call ``on_timeout`` and terminate it."""
        options, number = ort.RunOptions(), next(self._numbers)

        def stop() -> None:
            on_timeout()
            options.terminate = True

        with self._lock:
            self._runs[number] = time.monotonic() + timeout_s, stop
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield options
        finally:
            with self._lock:
                self._runs.pop(number, None)

    def _watch(self) -> None:
        while True:
            time.sleep(_TICK_S)
            with self._lock:
                now_s = time.monotonic()
                late = [number for number, (end_s, _) in self._runs.items() if end_s < now_s]
                for number in late:
                    self._runs.pop(number)[1]()


_WATCHDOG = _Watchdog()


def _require_cuda() -> None:
    # Without a GPU, the package lists CUDA but runs on the CPU.
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
    # Spinning threads take CPU from other requests.
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
