"""The card's figures as pictures. Computes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trainer.classes import CLASS_NAMES
from trainer.report import draw_confusion
from trainer.tables import words

__all__ = ["draw_card", "draw_coverage", "draw_recalls", "draw_reliability"]

_DPI = 100


def draw_card(figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what `page_metrics` gave into ``folder``: reliability, coverage, confusion and recall; gives their paths."""
    paths = [folder / f"{name}.png" for name in ("reliability", "coverage", "confusion", "recall")]
    draw_reliability(figures["reliability"], paths[0])
    draw_coverage(figures["coverage"], paths[1])
    draw_confusion(figures["confusion_matrix"], CLASS_NAMES, "out of fold, per page", paths[2])
    draw_recalls(figures["classes"], paths[3])
    return paths


def draw_reliability(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw how often the most probable class is right against its probability, with 95 % intervals and pages a bin."""
    figure, axes = _axes("out of fold: a point below the line is too sure")
    x, y = [point["probability"] for point in points], [point["accuracy"] for point in points]
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.errorbar(x, y, yerr=_whiskers(points, "accuracy"), fmt="o", capsize=3)
    for point in points:
        place = (point["probability"], point["accuracy"])
        axes.annotate(str(point["pages"]), place, xytext=(-5, -11), textcoords="offset points", fontsize=8, ha="right")
    axes.set(xlabel="probability of the most probable class", ylabel="share of pages that are right", xlim=(0, 1.03))
    axes.set_ylim(0, 1.03)
    figure.savefig(path, dpi=_DPI)


def draw_coverage(curve: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw the accuracy of the surest pages against their share of all pages."""
    figure, axes = _axes("out of fold: the surest pages first")
    axes.step(curve["coverage"], curve["accuracy"], where="post")
    axes.set(xlabel="coverage: share of pages", ylabel="accuracy of these pages", xlim=(0, 1.01))
    axes.set_ylim(top=1.005)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=_DPI)


def draw_recalls(classes: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the recall of each class that has pages, with its 95 % interval; its pages stand beside its name."""
    known = {name: row for name, row in classes.items() if row["recall"] is not None}
    figure, axes = _axes("recall, out of fold")
    axes.errorbar(
        [row["recall"] for row in known.values()],
        range(len(known)),
        xerr=_whiskers(list(known.values()), "recall"),
        fmt="o",
        capsize=4,
    )
    axes.set_yticks(range(len(known)), [f"{words(name)} ({row['rows']})" for name, row in known.items()])
    axes.set(xlim=(0, 1.03), ylim=(len(known) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=_DPI)


def _axes(title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes: Any = figure.subplots()
    axes.set_title(title)
    return figure, axes


def _whiskers(rows: Sequence[Mapping[str, Any]], name: str) -> list[list[float]]:
    """How far each interval reaches below and above its value; not at all where none is known."""
    lengths = []
    for row in rows:
        lowest, highest = row[f"{name}_ci95"] or (row[name], row[name])
        lengths.append((max(row[name] - lowest, 0.0), max(highest - row[name], 0.0)))
    return [[below for below, _ in lengths], [above for _, above in lengths]]
