"""When an answer may stand without a person's look at the page. Knows no page and no graph.

Every threshold is on the graph's calibrated page probabilities and was chosen on pages the network had not seen (out of
fold); what it gave there stands beside it.
"""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["DecisionPolicy", "OperatingPoint"]

Share = Annotated[float, Field(ge=0, le=1)]


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


class DecisionPolicy(BaseModel):
    """Which pages are referred to a person.

    Those whose most probable class is less probable than `report_from`; those that are flagged for the critical class
    although another one is more probable; those further than `largest_distance` from every training page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    target_accuracy: Share
    """Accuracy of reported pages that `report_from` was chosen for."""
    report_from: Share
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
    largest_distance: Annotated[float, Field(gt=0)] | None = None
    """Of the graph's output `embedding_distance`; None where the graph has none."""

    def operating_point(self, sensitivity: float) -> OperatingPoint:
        """The point of fewest flags that reached ``sensitivity`` (0 to 1)."""
        return next(point for point in self.operating_points if point.sensitivity >= min(sensitivity, 1.0))

    @model_validator(mode="after")
    def _points_ascend_to_all(self) -> Self:
        points = self.operating_points
        if points[-1].sensitivity < 1 or any(a.sensitivity >= b.sensitivity for a, b in pairwise(points)):
            raise ValueError("operating_points must ascend in sensitivity and end at 1")
        return self
