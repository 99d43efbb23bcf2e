"""A bundle's answers to inputs, and what its policy decides: the graph, and the second look at the reference rate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model_registry.bundle import Bundle
from model_registry.decision import PageAnswer, decide, rests_on_rate
from model_registry.manifest import FINDING_PROBABILITIES, PAGE_PROBABILITIES, READER_PROBABILITIES
from model_registry.policy import DecisionPolicy, Leading
from shared_preproc.recording import resample_time
from shared_preproc.tensor import Tensor
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.session import run_outputs
from trainer.validation.figures import Answers
from trainer.validation.inputs import Inputs

__all__ = ["GraphAnswers", "answers", "ask", "by_leading"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GraphAnswers:
    """What a graph says about inputs, before any decision; one row each."""

    by_leading: dict[Leading, Floats]
    """(rows, 4) the answer of each reader that the graph has; ``fused`` always."""
    at_reference_rate: dict[Leading, Floats]
    """The same, for the same curves at the policy's reference rate; NaN where nobody asked."""
    findings: Floats | None
    """(rows, findings)."""
    inputs: Inputs

    @property
    def readers(self) -> Floats | None:
        """(rows, 2, 4) class network, findings network; None where the graph has one reader."""
        one, other = self.by_leading.get("class_network"), self.by_leading.get("findings_network")
        return None if one is None or other is None else np.stack([one, other], axis=1)

    def page_answer(self, row: int, leading: Leading) -> PageAnswer:
        """Give one row as `decide` takes it."""
        rate = self.inputs.heart_rates_bpm[row]
        one, other = self.by_leading.get("class_network"), self.by_leading.get("findings_network")
        again = self.at_reference_rate[leading][row] if leading in self.at_reference_rate else None
        return PageAnswer(
            probabilities=_by_name(self.by_leading[leading][row]),
            readers=None if one is None or other is None else (_by_name(one[row]), _by_name(other[row])),
            heart_rate_bpm=None if np.isnan(rate) else float(rate),
            at_reference_rate=None if again is None or np.isnan(again).any() else _by_name(again),
        )


def by_leading(fused: NDArray[np.floating], readers: NDArray[np.floating] | None) -> dict[Leading, Floats]:
    """Name the fused answer (rows, 4) and both readers' (rows, 2, 4)."""
    given: dict[Leading, NDArray[np.floating]] = {"fused": fused}
    if readers is not None:
        given |= {"class_network": readers[:, 0], "findings_network": readers[:, 1]}
    return {leading: probabilities.astype(np.float64) for leading, probabilities in given.items()}


def ask(bundle: Bundle, inputs: Inputs) -> GraphAnswers:
    """Run the bundle's graph, and run it again at the reference rate where any reader's answer may rest on the rate.

    Raises:
        RunError: the bundle's classes are not `CLASS_NAMES`.
    """
    manifest = bundle.manifest
    if manifest.class_names != CLASS_NAMES:
        raise RunError(f"{manifest.ref} answers {', '.join(manifest.class_names)}; expected {', '.join(CLASS_NAMES)}")
    by_reader, findings = _run(bundle, inputs, inputs.tensors, "ask")
    first = GraphAnswers(by_reader, {}, findings, inputs)
    policy = manifest.decision
    rows = [
        row
        for row in range(len(inputs.tensors))
        if any(rests_on_rate(first.page_answer(row, leading), policy) for leading in by_reader)
    ]
    if not rows or policy is None or policy.readers is None:
        return first
    reference_bpm = policy.readers.reference_rate_bpm
    tensors = np.stack(
        [
            resample_time(inputs.tensors[row], manifest.preprocessing, reference_bpm / inputs.heart_rates_bpm[row])
            for row in rows
        ]
    )
    again, _ = _run(bundle, inputs, tensors, "ask again at the reference rate")
    at_reference_rate = {}
    for leading, probabilities in again.items():
        at_reference_rate[leading] = np.full_like(by_reader[leading], np.nan)
        at_reference_rate[leading][rows] = probabilities
    return GraphAnswers(by_reader, at_reference_rate, findings, inputs)


def answers(
    asked: GraphAnswers, policy: DecisionPolicy | None, thresholds: Mapping[str, float] | None = None
) -> Answers:
    """Decide every answer by ``policy``, as the service does; a page's own doubts are reasons too.

    ``thresholds`` are those of the findings, by code and in the order of ``asked.findings``.

    Raises:
        RunError: the policy follows a reader that the graph does not have.
    """
    leading: Leading = "fused" if policy is None else policy.leading
    if leading not in asked.by_leading:
        raise RunError(f"the policy follows the {leading}, but the bundle has one reader only")
    return Answers(
        asked.by_leading[leading],
        tuple(
            (*doubts, *(reason.code for reason in decide(_decided(asked.page_answer(row, leading), policy), policy)))
            for row, doubts in enumerate(asked.inputs.doubts)
        ),
        asked.inputs.heart_rates_bpm,
        asked.readers,
        asked.findings,
        thresholds or {},
    )


def _decided(answer: PageAnswer, policy: DecisionPolicy | None) -> PageAnswer:
    """Leave the second look out where the service takes none: every reader's was asked for."""
    return answer if rests_on_rate(answer, policy) else replace(answer, at_reference_rate=None)


def _run(bundle: Bundle, inputs: Inputs, tensors: Tensor, progress: str) -> tuple[dict[Leading, Floats], Floats | None]:
    outputs = {output.name for output in bundle.manifest.outputs}
    names = [PAGE_PROBABILITIES, READER_PROBABILITIES, FINDING_PROBABILITIES]
    names = [name for name in names if name in outputs]
    given = dict(
        zip(names, run_outputs(bundle.model, tensors, names, progress=f"{progress}: {inputs.kind}"), strict=True)
    )
    readers, findings = given.get(READER_PROBABILITIES), given.get(FINDING_PROBABILITIES)
    answers = by_leading(_normalised(given[PAGE_PROBABILITIES]), None if readers is None else _normalised(readers))
    return answers, None if findings is None else findings.astype(np.float64)


def _normalised(probabilities: NDArray[np.float32]) -> Floats:
    """As the service: float32 sums to 1 only by luck."""
    exact = probabilities.astype(np.float64)
    return np.asarray(exact / exact.sum(axis=-1, keepdims=True))


def _by_name(row: Floats) -> dict[str, float]:
    return dict(zip(CLASS_NAMES, row.tolist(), strict=True))
