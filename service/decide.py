"""Whether an answer may stand without a person's look at the page, and if not, why. Knows no page and no graph.

The thresholds are the bundle's: they were chosen on pages that its network had not seen. The sensitivity that is asked
of them is the site's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from model_registry.policy import DecisionPolicy, OperatingPoint
from shared_preproc.evidence import Doubt

__all__ = ["Decision", "Reason", "Status", "Thresholds", "decide"]

Status = Literal["reported", "referred"]


@dataclass(frozen=True)
class Reason:
    """Why a person has to look: a code for programs, and words."""

    code: str
    message: str


@dataclass(frozen=True)
class Decision:
    """Reported where nothing speaks against it; referred for each of the reasons."""

    reasons: tuple[Reason, ...]

    @property
    def status(self) -> Status:
        """What becomes of the answer."""
        return "referred" if self.reasons else "reported"


@dataclass(frozen=True)
class Thresholds:
    """A bundle's policy, at the sensitivity to its critical class that is asked of it."""

    policy: DecisionPolicy
    target: float
    """The sensitivity that is asked for, 0 to 1."""

    @classmethod
    def of(cls, policy: DecisionPolicy | None, sensitivity: float | None) -> "Thresholds | None":
        """Ask for ``sensitivity`` (0 to 1; ``None``: the bundle's own default) of a bundle that has a policy."""
        if policy is None:
            return None
        return cls(policy, policy.default_sensitivity if sensitivity is None else sensitivity)

    @cached_property
    def point(self) -> OperatingPoint:
        """What the pages that the network had not seen support: the fewest flags that reach the target."""
        return self.policy.operating_point(self.target)


def decide(
    probabilities: Mapping[str, float],
    thresholds: Thresholds | None,
    distance: float | None = None,
    doubts: Sequence[Doubt] = (),
) -> Decision:
    """Judge a page's calibrated ``probabilities`` by class, and what else is known about it.

    ``distance`` is the graph's `embedding_distance`, where it has one; ``doubts`` are those of the page itself. Every
    reason that applies is given: the page's first, then the model's.
    """
    reasons = [Reason(doubt.code, doubt.message) for doubt in doubts]
    if thresholds is None:
        reasons.append(Reason("no_thresholds", "This model has no measured thresholds: a person decides every time."))
    else:
        reasons.extend(_reasons(probabilities, thresholds, distance))
    return Decision(tuple(reasons))


def _reasons(probabilities: Mapping[str, float], thresholds: Thresholds, distance: float | None) -> Iterator[Reason]:
    policy, flagged_from = thresholds.policy, thresholds.point.threshold
    # Not the other way round: what is no number is unusual as well.
    if distance is not None and policy.largest_distance is not None and not distance <= policy.largest_distance:
        yield Reason(
            "unusual_page",
            f"The page is unlike those that the model was trained on: its distance to the nearest of them is "
            f"{distance:.4g}, at most {policy.largest_distance:.4g} is usual.",
        )
    top = max(probabilities, key=probabilities.__getitem__)
    if probabilities[top] < policy.report_from:
        yield Reason(
            "uncertain",
            f"The most probable class, {_words(top)}, has the probability {probabilities[top]:.4f}; "
            f"answers are reported from {policy.report_from:.4f} on.",
        )
    critical = policy.critical_class
    if top != critical and probabilities[critical] >= flagged_from:
        yield Reason(
            "possible_critical_class",
            f"{_words(critical).capitalize()} has the probability {probabilities[critical]:.4f}, though "
            f"{_words(top)} is more probable; pages are flagged from {flagged_from:.4f} on.",
        )


def _words(class_name: str) -> str:
    return class_name.replace("_", " ")
