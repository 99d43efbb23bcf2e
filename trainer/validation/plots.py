"""Figures of a validation as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trainer.classes import CLASS_NAMES
from trainer.tables import words
from trainer.validation.report import band_words

__all__ = ["draw_validation"]

_DPI = 100


def draw_validation(figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what `external_figures` gave: `reliability.png`, `rates.png` and `auroc.png` in ``folder``; gives the paths.

    The last is left out where no comparison is known.
    """
    paths = [_draw_reliability(figures["calibration"], folder), _draw_rates(figures["rate_bands"], folder)]
    return [*paths, _draw_auroc(figures["auroc"], folder)] if figures["auroc"] else paths


def _draw_reliability(calibration: Mapping[str, Any], folder: Path) -> Path:
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    names = {"top": "most probable class", "normal": "normal"}
    for axes, (event, name) in zip(figure.subplots(1, 2), names.items(), strict=True):
        points = calibration[event]["reliability"]
        x, y = [point["probability"] for point in points], [point["accuracy"] for point in points]
        axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
        axes.errorbar(x, y, yerr=_whiskers(points, "accuracy"), fmt="o", capsize=3)
        axes.set(xlabel=f"probability of the {name}" if event == "top" else "probability of normal", xlim=(0, 1.03))
        axes.set(ylabel="share of recordings where it is so", ylim=(0, 1.03), title="below the line: too sure")
    return _save(figure, folder / "reliability.png")


def _draw_rates(bands: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes: Any = figure.subplots()
    bottoms = [0.0] * len(bands)
    for name in CLASS_NAMES:
        shares = [band["answered"][name] / band["recordings"] for band in bands]
        axes.bar(range(len(bands)), shares, bottom=bottoms, label=words(name))
        bottoms = [bottom + share for bottom, share in zip(bottoms, shares, strict=True)]
    axes.set_xticks(range(len(bands)), [f"{band_words(band)}\n({band['recordings']})" for band in bands])
    axes.set(xlabel="heart rate per minute (recordings)", ylabel="share of answers", ylim=(0, 1))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=4, fontsize=8)
    return _save(figure, folder / "rates.png")


def _draw_auroc(comparisons: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    figure = Figure(figsize=(8, 1.5 + 0.9 * len(comparisons)), layout="constrained")
    axes: Any = figure.subplots()
    readers = list(next(iter(comparisons.values())))
    for number, reader in enumerate(readers):
        cells = [by_reader[reader] for by_reader in comparisons.values()]
        places = [row + 0.2 * (number - (len(readers) - 1) / 2) for row in range(len(cells))]
        values = [cell["auroc"] for cell in cells]
        axes.errorbar(values, places, xerr=_whiskers(cells, "auroc"), fmt="o", capsize=3, label=words(reader))
    axes.set_yticks(range(len(comparisons)), [words(name) for name in comparisons])
    axes.set_xlim(right=1.0)
    axes.set(xlabel="AUROC", ylim=(len(comparisons) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    return _save(figure, folder / "auroc.png")


def _whiskers(rows: Sequence[Mapping[str, Any]], name: str) -> list[list[float]]:
    """How far each interval reaches below and above its value."""
    edges = [(row[name], row[f"{name}_ci95"] or (row[name], row[name])) for row in rows]
    return [
        [max(value - low, 0.0) for value, (low, _) in edges],
        [max(high - value, 0.0) for value, (_, high) in edges],
    ]


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=_DPI)
    return path
