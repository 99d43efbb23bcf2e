"""Figures as Markdown tables, for a terminal, a report and a card. Computes nothing.

A row is ``{"name", "figures"}`` with what `page_metrics` or `classification_metrics` gives, and ``repeats`` where more
than one network answered together. A figure that is not there, or None, is a dash.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["class_table", "confusion_table", "figure_cell", "figures_table", "table", "words"]

_COLUMNS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "auroc_macro": "macro AUROC",
    "brier": "Brier",
    "log_loss": "log loss",
    "ece": "ECE",
}


def figures_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the one-number figures of each row as a Markdown table, 95 % intervals in brackets."""
    cells = [
        [row["name"], str(row.get("repeats", 1)), *(figure_cell(row["figures"], name) for name in _COLUMNS)]
        for row in rows
    ]
    return table(["", "networks", *_COLUMNS.values()], cells)


def class_table(figures: Mapping[str, Any]) -> str:
    """Lay out recall, precision and AUROC of each class as a Markdown table, 95 % intervals in brackets."""
    names = ("recall", "precision", "auroc")
    cells = [
        [words(class_name), str(row["rows"]), *(figure_cell(row, name) for name in names)]
        for class_name, row in figures["classes"].items()
    ]
    return table(["class", "pages", "recall", "precision", "AUROC"], cells)


def confusion_table(figures: Mapping[str, Any]) -> str:
    """Lay out a confusion matrix as a Markdown table."""
    names = [words(name) for name in figures["classes"]]
    cells = [
        [name, *(str(count) for count in row)] for name, row in zip(names, figures["confusion_matrix"], strict=True)
    ]
    return table(["true \\ answered", *names], cells)


def figure_cell(figures: Mapping[str, Any], name: str) -> str:
    """Write a figure with its 95 % interval, where there is one; a dash where there is no figure."""
    value, interval = figures.get(name), figures.get(f"{name}_ci95")
    if value is None:
        return "-"
    return f"{value:.3f}" if interval is None else f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out any Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def words(class_name: str) -> str:
    """Write a class name for people."""
    return class_name.replace("_", " ")
