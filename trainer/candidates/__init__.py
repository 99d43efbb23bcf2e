"""What the evaluation compares: networks and baselines, each fitted on some pages and asked about others.

`CANDIDATES` names them all, in the order of the report; the first is a part of what is published.
"""

from collections.abc import Callable
from dataclasses import dataclass

from trainer.candidates.candidate import Candidate, Prediction
from trainer.candidates.class_network import ClassNetworkCandidate
from trainer.candidates.lead_images import LeadImageCandidate
from trainer.candidates.linear import Linear, Majority, names, paper, rhythm, template_curves
from trainer.config import CLASS_NETWORK, ClassNetworkConfig

__all__ = ["CANDIDATES", "Candidate", "CandidateInfo", "Prediction"]


@dataclass(frozen=True)
class CandidateInfo:
    """How a candidate stands in the report, and how it is built."""

    title: str
    """One line, for people."""
    build: Callable[[ClassNetworkConfig], Candidate]
    slow: bool = False
    """Takes minutes a fold, so that a quick evaluation leaves it out."""


CANDIDATES: dict[str, CandidateInfo] = {
    CLASS_NETWORK: CandidateInfo("class network over the curves of all leads", ClassNetworkCandidate),
    "majority": CandidateInfo("majority class", lambda _: Majority()),
    "template-curves": CandidateInfo(
        "template (curves masked out), read as the class network reads a page", lambda _: Linear(template_curves)
    ),
    "template-names": CandidateInfo("template, lead names in the masks, linear", lambda _: Linear(names)),
    "template-paper": CandidateInfo("template, gray levels of the paper, linear", lambda _: Linear(paper)),
    "rhythm": CandidateInfo("simple rhythm features, linear", lambda _: Linear(rhythm)),
    "cnn": CandidateInfo("published CNN, leads vote", lambda _: LeadImageCandidate("cnn"), slow=True),
    "crnn": CandidateInfo("published CRNN, leads vote", lambda _: LeadImageCandidate("crnn"), slow=True),
}
