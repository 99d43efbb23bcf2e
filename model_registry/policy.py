"""Thresholds that say when an answer may stand without a person's look at the page.

Every threshold is on the graph's calibrated probabilities and was chosen on pages that the networks had not seen.
"""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

__all__ = ["DecisionPolicy", "Leading", "OperatingPoint", "ReaderRules", "SitePolicy"]

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, le=400)]
Leading = Literal["fused", "class_network", "findings_network"]
"""Whose probabilities are the page's answer."""


class OperatingPoint(BaseModel):
    """Watching for the critical class from one probability on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: Share
    """A page is flagged when the critical class is at least as probable as this."""
    sensitivity: Share
    """Share of the critical class's pages that were flagged, of those that the threshold was chosen on."""
    sensitivity_ci95: tuple[Share, Share]
    flagged: Share
    """Share of the other classes' pages that were flagged."""


class ReaderRules(BaseModel):
    """What two readers of one page, the class network and the findings network, must agree on.

    Classes count as three kinds: normal, infarction, and anything else: acute or old is not asked of the findings
    network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    normal_class: str
    infarction_classes: tuple[str, ...] = Field(min_length=1)
    class_network_from: dict[str, Share]
    """By class: the class network gives the answer at least this probability."""
    findings_network_from: dict[str, Share]
    """By class: the findings network gives the answer's kind at least this probability."""
    infarction_sign_from: dict[str, Share]
    """By class: from this probability of infarction on, in either reader, the answer is not reported."""
    class_network_sign_from: dict[str, Share] = Field(default_factory=dict)
    """The same for the class network alone, where it takes more: it sees too many elsewhere."""
    rate_band_bpm: tuple[Rate, Rate] = (60.0, 100.0)
    """Heart rates that are normal by themselves: an answer that rests on such a rate alone is not reported."""
    reference_rate_bpm: Rate = 75.0
    """The rate at which the same curves are read again to find out."""

    def sign_from(self, class_name: str) -> tuple[float, float] | None:
        """By reader, class network first: the probability of infarction that forbids the answer; None: no rule."""
        either = self.infarction_sign_from.get(class_name)
        return None if either is None else (self.class_network_sign_from.get(class_name, either), either)


class DecisionPolicy(BaseModel):
    """Which pages are referred to a person.

    Those whose most probable class is less probable than `report_from`; those that are flagged for the critical class
    although another one is more probable; those on which the readers break one of the `readers` rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    target_accuracy: Share
    """Accuracy of reported pages that the thresholds were chosen for."""
    report_from: Share | dict[str, Share]
    """For all classes, or by class."""
    accuracy: Share
    """Of the pages reported under this policy with its default sensitivity, out of fold."""
    accuracy_ci95: tuple[Share, Share]
    coverage: Share
    """Share of pages so reported."""
    critical_class: str
    default_sensitivity: Share
    """What is asked of `operating_points` where a site asks for nothing else."""
    operating_points: tuple[OperatingPoint, ...] = Field(min_length=1)
    """Ascending in sensitivity; the last flags every page of the critical class."""
    leading: Leading = "fused"
    readers: ReaderRules | None = None
    """None where the graph has one reader only."""

    def reported_from(self, class_name: str) -> float:
        """The probability from which on an answer of this class is reported."""
        return self.report_from.get(class_name, 1.0) if isinstance(self.report_from, dict) else self.report_from

    def operating_point(self, sensitivity: float) -> OperatingPoint:
        """The point of fewest flags that reached ``sensitivity`` (0 to 1)."""
        return next(point for point in self.operating_points if point.sensitivity >= min(sensitivity, 1.0))

    @model_validator(mode="after")
    def _points_ascend_to_all(self) -> Self:
        points = self.operating_points
        if points[-1].sensitivity < 1 or any(a.sensitivity >= b.sensitivity for a, b in pairwise(points)):
            raise ValueError("operating_points must ascend in sensitivity and end at 1")
        return self


class SitePolicy(BaseModel):
    """A policy that one hospital chose on its own labelled pages, for one bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    site: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    created_at: datetime
    model_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the graph whose answers the thresholds were chosen on; the policy holds for no other."""
    decision: DecisionPolicy
    figures: dict[str, JsonValue]
    """What the policy gave on the site's pages, for people."""
