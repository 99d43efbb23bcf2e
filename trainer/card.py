"""What a model is worth and what it is not, for people and for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import DecisionPolicy, SitePolicy
from trainer.classes import CLASS_NAMES
from trainer.out_of_fold import OutOfFold
from trainer.tables import class_table, confusion_table, figure_cell, figures_table, table, words
from trainer.validation.report import figures_parts, policy_parts, policy_rules

__all__ = ["CardFacts", "build_card", "card_text", "failure_gallery"]

_INTENDED_USE = (
    "Research into reading 12-lead ECG report pages of one layout (EDAN, 3 x 4 + 1, 2213 x 1572 px).",
    "Decision support for people who read the page themselves.",
)
_NOT_INTENDED = (
    "Not a certified medical device: no diagnosis, triage or treatment may rest on an answer.",
    "Not for ruling out a myocardial infarction: a page that is reported as something else may still show one.",
    "Not for telling an acute from an old infarction outside the data set: there, its age is uncertain.",
    "Not before it was validated on the hospital's own pages: `python -m trainer validate`, docs/validation.md.",
)
_LIMITS = (
    'The four classes are the data set\'s: "abnormal heartbeat" there is mostly a fast rate.',
    "The data set's labels are its own; nobody has read the pages again. Labels of abnormal heartbeat below 90/min are"
    " doubtful in part.",
    "Records, not patients, are kept on one side of a split of the pages: two records of one patient cannot be told"
    " apart. The recordings are split by patient.",
    "The recordings elsewhere are printed in the cart's layout by our own code: no page of another cart was read.",
    "The probabilities assume the classes to be as frequent as in both sets together.",
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
    """Of the pages, as `audit` counts: ``files``, ``distinct``, ``copies``, ``groups`` and, by name, ``classes``."""
    recordings: Mapping[str, Any]
    """``name`` of the signals, and how many ``recordings`` and ``patients``."""
    protocol: Sequence[str]
    """How the figures came about, a sentence each."""
    rows: Sequence[Mapping[str, Any]]
    """As `figures_table` takes them: the model first, then what it is to be compared with."""
    published: Mapping[str, Any] | None
    """``words``, sentences on what copies are worth, and ``rows`` under the published protocol."""
    calibration: Mapping[str, Any]
    """How each answer was calibrated."""
    policy: DecisionPolicy | None
    """None: no thresholds keep the goals, so that every page is referred."""
    decision_figures: Mapping[str, Any] | None
    """What the thresholds give on the data set's pages, ``as_fitted`` and ``cross_fitted``; None without a policy."""
    inside: Mapping[str, Any]
    """`external_figures` of the data set's pages."""
    external: Mapping[str, Any]
    """The same of recordings of other patients."""
    policies: Sequence[SitePolicy]
    """Those that the bundle brings."""
    external_wide: Mapping[str, Any]
    """The same, printed in another band and arrangement."""
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
        "recordings": dict(facts.recordings),
        "validated_on": [f"{facts.recordings['name']}, out of fold", "the data set's pages, out of fold"],
        "protocol": list(facts.protocol),
        "figures": [dict(row) for row in facts.rows],
        "published_protocol": None if facts.published is None else dict(facts.published),
        "calibration": dict(facts.calibration),
        "decision": None if facts.policy is None else facts.policy.model_dump(mode="json"),
        "decision_figures": None if facts.decision_figures is None else dict(facts.decision_figures),
        "inside": dict(facts.inside),
        "external": dict(facts.external),
        "policies": [policy.model_dump(mode="json") for policy in facts.policies],
        "external_wide": dict(facts.external_wide),
        "failures": [dict(failure) for failure in facts.failures],
        "limits": [*_LIMITS, *facts.limits],
    }


def failure_gallery(
    out_of_fold: OutOfFold, probabilities: NDArray[np.float64], reported: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """List the pages whose most probable class is wrong, the surest first.

    ``probabilities`` (pages, classes) and ``reported`` (pages,): by calibrations and thresholds that did not see the
    page, as `trainer.policy.cross_fitted` gives them.
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
        _data_words(card["data"], card["recordings"]),
        "## Protocol",
        " ".join(card["protocol"]),
        "## Other patients",
        _external_words(card),
        *_deeper(figures_parts(card["external"])),
        "## The data set's own pages",
        _FIGURES_WORDS,
        figures_table(card["figures"]),
        f"{model['name']}, by class:",
        class_table(model["figures"]),
        confusion_table(model["figures"]),
        *_deeper(figures_parts(card["inside"])),
        *_published_parts(card["published_protocol"]),
        "## Decision",
        *_decision_parts(card["decision"], card["decision_figures"]),
        *(part for policy in card["policies"] for part in policy_parts(policy, f"### Policy for {policy['site']}")),
        "## Where it is wrong",
        *_failure_parts(card["failures"]),
        "## Limits",
        _items(card["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def _data_words(data: Mapping[str, Any], recordings: Mapping[str, Any]) -> str:
    classes = ", ".join(f"{row['distinct']} {words(name)}" for name, row in data["classes"].items())
    return (
        f"{data['source']}: {data['files']} files, of them {data['copies']} copies; "
        f"{data['distinct']} distinct pages ({classes}) of {data['groups']} records. One cart, one hospital; "
        f"{data['male_share_as_reported']:.0%} of the patients are male, as reported with the data set.\n\n"
        f"{recordings['name']}: {recordings['recordings']} recordings of {recordings['patients']} patients "
        "(PTB-XL, Wagner et al. 2020, CC BY 4.0; Germany, 1989 to 1996)."
    )


def _external_words(card: Mapping[str, Any]) -> str:
    counts, wide = card["external"]["recordings"], card["external_wide"]["auroc"]
    others = [
        f"{words(name)} {figure_cell(by_reader['answer'], 'auroc')}, by the findings network alone"
        f" {figure_cell(by_reader['findings_network'], 'auroc')}"
        for name, by_reader in wide.items()
    ]
    return (
        f"{counts['all']} recordings as the cart prints them; no network saw their patients. An infarction of unknown"
        " age is right as either infarction class; a normal form with a fast or slow rate is not judged. Printed at"
        f" 0.05 to 40 Hz with all leads at once, the AUROC are: {'; '.join(others)}."
    )


def _deeper(parts: Iterable[str]) -> Iterator[str]:
    """Headings one level down."""
    return (f"#{part}" if part.startswith("## ") else part for part in parts)


def _published_parts(published: Mapping[str, Any] | None) -> list[str]:
    if published is None:
        return []
    return ["### The published protocol, beside it", " ".join(published["words"]), figures_table(published["rows"])]


def _decision_parts(decision: Mapping[str, Any] | None, figures: Mapping[str, Any] | None) -> list[str]:
    if decision is None or figures is None:
        return ["No thresholds keep the goals: every page is referred to a person."]
    return [policy_rules(decision), _policy_table(decision, figures), _operating_points(decision)]


def _policy_table(decision: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    views = {"as_fitted": "on the pages they were chosen on", "cross_fitted": "on folds they were not chosen on"}
    cells = [
        [label, *(figure_cell(figures[view], name) for name in ("accuracy", "coverage", "critical_caught"))]
        for view, label in views.items()
    ]
    caught = f"{words(decision['critical_class'])}: referred or named"
    return table(["thresholds judged, the data set's pages", "accuracy of reported pages", "coverage", caught], cells)


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
