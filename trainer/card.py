"""What a model is worth and what it is not, for people and for programs. Reads no file and computes no figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import DecisionPolicy
from trainer.classes import CLASS_NAMES
from trainer.out_of_fold import OutOfFold
from trainer.tables import class_table, confusion_table, figure_cell, figures_table, table, words

__all__ = ["CardFacts", "build_card", "card_text", "failure_gallery"]

_INTENDED_USE = (
    "Research into reading 12-lead ECG report pages of one layout (EDAN, 3 x 4 + 1, 2213 x 1572 px).",
    "Decision support for people who read the page themselves.",
)
_NOT_INTENDED = (
    "Not a certified medical device: no diagnosis, triage or treatment may rest on an answer.",
    "Not for pages of other carts or layouts, for photographs of pages, or for patients unlike those of the data set.",
    "Not for ruling out a myocardial infarction: a page that is reported as something else may still show one.",
)
_LIMITS = (
    "One cart of one hospital: nothing is known about any other.",
    "The labels are the data set's own; nobody has read the pages again.",
    "Records, not patients, are kept on one side of a split: two records of one patient cannot be told apart.",
    "The probabilities assume the classes to be as frequent as in these pages.",
)
_DATA = ("files", "distinct", "copies", "groups", "classes")
_FIGURES_WORDS = (
    "95 % intervals in brackets; a dash: not measured. ECE cannot be negative and drawing pages again pushes it up: "
    "its interval lies high. An interval without width says that no page differs, not that none could."
)
_SHOWN_FROM = 0.8  # operating points of less sensitivity stand in the JSON only


@dataclass(frozen=True)
class CardFacts:
    """Everything a card says that differs from one model to the next."""

    name: str
    data: Mapping[str, Any]
    """As `audit` counts it; ``files``, ``distinct``, ``copies``, ``groups`` and, by name, ``classes`` are used."""
    protocol: Sequence[str]
    """How the figures came about, a sentence each."""
    rows: Sequence[Mapping[str, Any]]
    """As `figures_table` takes them: the model first, then what it is to be compared with."""
    published: Mapping[str, Any] | None
    """``words``, sentences on what copies are worth, and ``rows`` under the published protocol."""
    calibration: Mapping[str, Any]
    """`Calibrated.facts`."""
    policy: DecisionPolicy | None
    """None: no threshold reached the accuracy asked for, so that every page is referred."""
    policy_figures: Mapping[str, Any] | None
    """As `trainer.referrals.policy_figures` gives them; None where there is no policy."""
    failures: Sequence[Mapping[str, Any]]
    """As `failure_gallery` gives them."""
    limits: Sequence[str] = ()
    """Beside those that hold for every model of these pages."""


def build_card(facts: CardFacts) -> dict[str, Any]:
    """Say everything in plain JSON types."""
    return {
        "name": facts.name,
        "intended_use": list(_INTENDED_USE),
        "not_intended": list(_NOT_INTENDED),
        "data": {
            "source": "ECG Images dataset of Cardiac Patients, Mendeley Data, gwbz3fsgp8, version 2",
            "carts": 1,
            "hospitals": 1,
            "male_share_as_reported": 0.91,
            **{name: facts.data[name] for name in _DATA},
        },
        "protocol": list(facts.protocol),
        "figures": [dict(row) for row in facts.rows],
        "published_protocol": None if facts.published is None else dict(facts.published),
        "calibration": dict(facts.calibration),
        "decision": None if facts.policy is None else facts.policy.model_dump(mode="json"),
        "decision_figures": None if facts.policy_figures is None else dict(facts.policy_figures),
        "failures": [dict(failure) for failure in facts.failures],
        "limits": [*_LIMITS, *facts.limits],
    }


def failure_gallery(
    out_of_fold: OutOfFold, probabilities: NDArray[np.float64], reported: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """List the pages whose most probable class is wrong, the surest first.

    ``probabilities`` (pages, classes) and ``reported`` (pages,): by calibrations and thresholds that did not see the
    page, as `Calibrated.cross_fitted` and `cross_fitted_referrals` give them.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != out_of_fold.labels)
    return [
        {
            "class": CLASS_NAMES[out_of_fold.labels[place]],
            "page": out_of_fold.pages[place]["name"],
            "predicted": CLASS_NAMES[predicted[place]],
            "probability": float(probabilities[place].max()),
            "decision": "reported" if reported[place] else "referred",
        }
        for place in wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]
    ]


def card_text(card: Mapping[str, Any]) -> str:
    """Say the same in Markdown."""
    model = card["figures"][0]
    parts = [
        f"# {card['name']}",
        "**Decision support for research; not a certified medical device.**",
        "## Use",
        _items(card["intended_use"]),
        "## No use",
        _items(card["not_intended"]),
        "## Data",
        _data_words(card["data"]),
        "## Protocol",
        " ".join(card["protocol"]),
        "## Figures",
        _FIGURES_WORDS,
        figures_table(card["figures"]),
        f"{model['name']}, by class:",
        class_table(model["figures"]),
        confusion_table(model["figures"]),
        *_published_parts(card["published_protocol"]),
        "## Calibration",
        _calibration_words(card["calibration"]),
        "## Decision",
        *_decision_parts(card["decision"], card["decision_figures"]),
        "## Where it is wrong",
        *_failure_parts(card["failures"]),
        "## Limits",
        _items(card["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def _data_words(data: Mapping[str, Any]) -> str:
    classes = ", ".join(f"{row['distinct']} {words(name)}" for name, row in data["classes"].items())
    return (
        f"{data['source']}: {data['files']} files, of them {data['copies']} byte-for-byte copies; "
        f"{data['distinct']} distinct pages ({classes}) of {data['groups']} records. One cart, one hospital; "
        f"{data['male_share_as_reported']:.0%} of the patients are male, as reported with the data set."
    )


def _published_parts(published: Mapping[str, Any] | None) -> list[str]:
    if published is None:
        return []
    return ["### The published protocol, beside it", " ".join(published["words"]), figures_table(published["rows"])]


def _calibration_words(calibration: Mapping[str, Any]) -> str:
    before, after = calibration["before"], calibration["after"]
    return (
        f"By {calibration['method']} on out-of-fold logits, inside the graph; temperature "
        f"{calibration['temperature']:.3f}. Each page judged by a calibration that did not see its fold: "
        f"ECE {figure_cell(before, 'ece')} before, {figure_cell(after, 'ece')} after "
        f"({after['ece_if_calibrated']:.3f} is what as many pages show by chance if every probability is true); "
        f"log loss {figure_cell(before, 'log_loss')} before, {figure_cell(after, 'log_loss')} after. The "
        "expected calibration error (ECE) is of the most probable class, in 15 bins of equal width."
    )


def _decision_parts(decision: Mapping[str, Any] | None, figures: Mapping[str, Any] | None) -> list[str]:
    if decision is None or figures is None:
        return ["No threshold reached the accuracy asked for: every page is referred to a person."]
    return [_rules(decision), _policy_table(decision, figures), _operating_points(decision)]


def _rules(decision: Mapping[str, Any]) -> str:
    critical, far = words(decision["critical_class"]), decision["largest_distance"]
    return (
        f"A page is referred to a person if its most probable class is less probable than "
        f"{decision['report_from']:.3f}, or if {critical} is flagged while another class is more probable"
        + (f", or if it is further than {far:.3g} from every training page" if far is not None else "")
        + f". Chosen for {decision['target_accuracy']:.2f} accuracy of the reported pages; {critical} is watched at "
        f"sensitivity {decision['default_sensitivity']:.2f} by default."
    )


def _policy_table(decision: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    views = {"as_fitted": "on the pages they were chosen on", "cross_fitted": "on folds they were not chosen on"}
    cells = [
        [label, *(figure_cell(figures[view], name) for name in ("accuracy", "coverage", "critical_caught"))]
        for view, label in views.items()
    ]
    caught = f"{words(decision['critical_class'])}: referred or named"
    return table(["thresholds judged", "accuracy of reported pages", "coverage", caught], cells)


def _operating_points(decision: Mapping[str, Any]) -> str:
    points = [
        [f"{point['threshold']:.3f}", figure_cell(point, "sensitivity"), f"{point['flagged']:.3f}"]
        for point in decision["operating_points"]
        if point["sensitivity"] >= _SHOWN_FROM
    ]
    critical = words(decision["critical_class"])
    return table(["flagged from", f"sensitivity to {critical}", "other pages flagged"], points)


def _failure_parts(failures: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = [
        [words(row["class"]), row["page"], words(row["predicted"]), f"{row['probability']:.3f}", row["decision"]]
        for row in failures
    ]
    count = f"Out of fold, {len(failures)} pages; the surest first."
    return [count, table(["class", "page", "answered", "probability", "decision"], cells)] if failures else [count]


def _items(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
