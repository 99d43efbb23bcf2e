"""Decide whether a page's answer is reported: doubts about the page first, then the policy's reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import model_registry.decision
from model_registry.decision import PageAnswer, Reason
from model_registry.policy import DecisionPolicy
from shared_preproc.evidence import Doubt

__all__ = ["Decision", "Status", "decide"]

Status = Literal["reported", "referred"]


@dataclass(frozen=True)
class Decision:
    """Reported where nothing speaks against it; referred for each of the reasons."""

    reasons: tuple[Reason, ...]

    @property
    def status(self) -> Status:
        """What becomes of the answer."""
        return "referred" if self.reasons else "reported"


def decide(answer: PageAnswer, policy: DecisionPolicy | None, doubts: Sequence[Doubt] = ()) -> Decision:
    """Collect every reason to refer the page."""
    from_page = (Reason(doubt.code, doubt.message) for doubt in doubts)
    return Decision((*from_page, *model_registry.decision.decide(answer, policy)))
