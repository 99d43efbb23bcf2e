"""A validation in Markdown, failures first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.statements import TERRITORIES
from trainer.tables import figure_cell, table, words

__all__ = ["band_words", "figures_parts", "policy_parts", "policy_rules", "report_text"]

_NOTE = (
    "Decision support for research; not a certified medical device. 95 % intervals in brackets, over patients; a dash: "
    "not measured."
)


def report_text(report: Mapping[str, Any]) -> str:
    """Say in Markdown what `validate` found; ``report`` is its `report.json`."""
    figures = report["figures"]
    parts = [
        f"# {report['bundle']['ref']} on {report['data']['name']}",
        _NOTE,
        _data_words(report),
        *figures_parts(figures),
        "![Answers by heart rate](rates.png)",
        "![AUROC](auroc.png)",
        "![Reliability](reliability.png)",
        "## Referred and refused",
        _referred(report),
        *policy_parts(report["site_policy"], "## Site policy"),
        "How to read this: docs/validation.md.",
    ]
    return "\n\n".join(parts) + "\n"


def figures_parts(figures: Mapping[str, Any]) -> Iterator[str]:
    """Lay out `external_figures` as headings, sentences and tables, failures first."""
    yield "## Failures"
    yield _failures(figures["failures"])
    yield "## By heart rate"
    yield _rates(figures["rate_bands"])
    yield "## Reported answers"
    yield _shares(_REPORTED, figures["reported"])
    yield f"Accuracy of all answers, referred or not: {_share(figures['answered']['accuracy'])}."
    yield from _operating_parts(figures["operating_point"])
    yield "## Discrimination (AUROC)"
    yield from _auroc_parts(figures)
    yield "## Calibration"
    yield _calibration(figures["calibration"])


def band_words(band: Mapping[str, Any]) -> str:
    """Name a band of heart rates, such as ``60-75``."""
    low, high = band["from_bpm"], band["below_bpm"]
    if low is None and high is None:
        return "unknown"
    return f"< {high:.0f}" if low is None else f">= {low:.0f}" if high is None else f"{low:.0f}-{high:.0f}"


def policy_rules(decision: Mapping[str, Any]) -> str:
    """Say when a page is referred under ``decision``, a policy in plain JSON types."""
    critical, rules = words(decision["critical_class"]), decision["readers"]
    lines = [
        f"Its most probable class is less probable than {_report_from(decision['report_from'])}.",
        f"{critical.capitalize()} is flagged (by default at sensitivity {decision['default_sensitivity']:.2f}) while"
        " another class is more probable.",
    ]
    if rules is not None:
        low, high = rules["rate_band_bpm"]
        lines += [
            f"The class network gives the answer less than {_by_class(rules['class_network_from'])}.",
            f"The findings network gives the answer's kind less than {_by_class(rules['findings_network_from'])}.",
            "A reader gives infarction "
            + ", ".join(
                f"{least:.3f} or more and the answer is {words(name)}"
                for name, least in rules["infarction_sign_from"].items()
            )
            + "".join(
                f"; the class network from {least:.3f} on where the answer is {words(name)}"
                for name, least in rules["class_network_sign_from"].items()
            )
            + ".",
            f"The heart rate is {low:.0f} to {high:.0f}/min and the same curves at"
            f" {rules['reference_rate_bpm']:.0f}/min are answered otherwise.",
        ]
    return "A page is referred to a person if any of these holds:\n\n" + "\n".join(f"- {line}" for line in lines)


def _data_words(report: Mapping[str, Any]) -> str:
    data, counts = report["data"], report["figures"]["recordings"]
    lines = [
        f"{counts['all']} {data['kind']} of {counts['patients']} patients; {counts['judged']} are judged by class: "
        f"{counts['normal']} normal, {counts['infarction']} infarctions, "
        f"{counts['judged'] - counts['normal'] - counts['infarction']} others, "
        f"of them {counts['arrhythmia']} known arrhythmias."
    ]
    if data["band_hz"]:
        lines.append(f"Signals within {data['band_hz'][0]:g} to {data['band_hz'][1]:g} Hz.")
    if data["out_of_fold"]:
        lines.append(
            f"The bundle was trained on {data['out_of_fold']} of them; those are judged by its stored answers out of "
            "fold, by networks that had not seen them."
        )
    if data["seen_in_training"]:
        lines.append(f"**The bundle was trained on {data['seen_in_training']} of them: these figures flatter it.**")
    if report["bundle"]["policy"] is None:
        lines.append("The bundle has no measured thresholds: it refers every answer.")
    return " ".join(lines)


_FAILURES = {
    "infarction_reported_as_normal": "infarction reported as normal",
    "infarction_answered_normal": "infarction answered normal, reported or referred",
    "healthy_reported_as_abnormal": "healthy reported as abnormal heartbeat",
    "healthy_reported_as_infarction": "healthy reported as infarction",
    "reported_wrong": "reported answers that are wrong",
}
_REPORTED = {
    "coverage": "answers reported",
    "accuracy": "reported answers that are right",
    "normal_purity": "reported normals that are healthy",
    "healthy_reported_as_normal": "healthy reported as normal",
    "healthy_reported": "healthy reported",
}
_OPERATING = {
    "sensitivity": "{critical} named or flagged",
    "specificity": "others not flagged",
    "infarction_sensitivity": "infarction of any age named or flagged",
    "infarction_specificity": "others not named infarction, nor flagged",
}


def _failures(failures: Mapping[str, Any]) -> str:
    rows = []
    for name, text in _FAILURES.items():
        rows.append(_row(text, failures[name]))
        if name == "infarction_reported_as_normal":
            rows += [
                _row(f"- {TERRITORIES[code]} ({code})", cell["reported_as_normal"])
                for code, cell in failures["by_territory"].items()
            ]
    return table(["", "count", "of", "share"], rows)


def _shares(names: Mapping[str, str], cells: Mapping[str, Any]) -> str:
    return table(["", "count", "of", "share"], [_row(text, cells[name]) for name, text in names.items()])


def _row(text: str, cell: Mapping[str, Any]) -> list[str]:
    return [text, str(cell["count"]), str(cell["of"]), _share(cell)]


def _share(cell: Mapping[str, Any]) -> str:
    return figure_cell(cell, "share")


def _rates(bands: Sequence[Mapping[str, Any]]) -> str:
    header = ["beats a minute", "recordings", "reported", "of these right", "normal form", "answered abnormal"]
    cells = [
        [
            band_words(band),
            str(band["recordings"]),
            _share(band["reported"]),
            _share(band["reported_right"]),
            str(band["normal_form_answered_abnormal"]["of"]),
            _share(band["normal_form_answered_abnormal"]),
            _share(band["normal_form_reported_as_abnormal"]),
        ]
        for band in bands
    ]
    return table([*header, "reported so"], cells)


def _operating_parts(point: Mapping[str, Any] | None) -> Iterator[str]:
    if point is None:
        return
    critical = words(point["critical_class"])
    yield f"At the operating point ({critical} from {point['threshold']:.3f} on):"
    yield _shares({name: text.format(critical=critical) for name, text in _OPERATING.items()}, point)


def _referred(report: Mapping[str, Any]) -> str:
    rows = [[f"referred: {code}", str(count)] for code, count in _most(report["figures"]["referred"])]
    rows += [[f"refused: {code}", str(count)] for code, count in _most(report["data"]["refused"])]
    return table(["reason", report["data"]["kind"]], rows) if rows else "None."


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _auroc_parts(figures: Mapping[str, Any]) -> Iterator[str]:
    comparisons = figures["auroc"]
    if comparisons:
        readers = list(next(iter(comparisons.values())))
        cells = [
            [words(name), *_sides(next(iter(row.values()))), *(figure_cell(row[reader], "auroc") for reader in readers)]
            for name, row in comparisons.items()
        ]
        yield table(["", "positive", "negative", *(words(reader) for reader in readers)], cells)
    cells = [[words(name), *_sides(row), figure_cell(row, "auroc")] for name, row in figures["classes"].items()]
    yield table(["class against the rest", "positive", "negative", "AUROC"], cells)
    if figures["findings"]:
        cells = [
            [code, *_sides(row), figure_cell(row, "auroc"), _share(row["sensitivity"]), _share(row["specificity"])]
            for code, row in figures["findings"].items()
        ]
        yield table(["finding", "positive", "negative", "AUROC", "sensitivity", "specificity"], cells)


def _sides(row: Mapping[str, Any]) -> list[str]:
    return [str(row["positive"]), str(row["negative"])]


def _calibration(calibration: Mapping[str, Any]) -> str:
    names = {"top": "most probable class", "normal": "normal", "top_reported": "most probable class, reported answers"}
    cells = [[text, figure_cell(calibration[name], "ece")] for name, text in names.items()]
    return table(["probability of", "expected calibration error (ECE)"], cells)


def policy_parts(policy: Mapping[str, Any] | None, heading: str) -> Iterator[str]:
    """Tell what a site policy gives, and its rules; nothing without one."""
    if policy is None:
        return
    decision, figures = policy["decision"], policy["figures"]
    yield heading
    yield (
        f"For {policy['site']}: the {words(decision['leading'])} answer leads, reported from "
        f"{_report_from(decision['report_from'])} on, for an accuracy of {decision['target_accuracy']:.2f}. Each "
        "answer is judged by a policy that was chosen on other patients:"
    )
    yield _shares(_REPORTED, figures["cross_fitted"]["reported"])
    yield _shares({name: _FAILURES[name] for name in _FAILURES}, figures["cross_fitted"]["failures"])
    yield policy_rules(decision)


def _report_from(threshold: float | Mapping[str, float]) -> str:
    return _by_class(threshold) if isinstance(threshold, Mapping) else f"{threshold:.3f}"


def _by_class(thresholds: Mapping[str, float]) -> str:
    return ", ".join(f"{least:.2f} ({words(name)})" for name, least in thresholds.items())
