"""Figures of a run as pictures and as a short text. Computes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from trainer.run import Run

__all__ = ["draw_classes", "draw_confusion", "draw_curves", "report_text"]


def draw_curves(history: Sequence[dict[str, float]], folder: Path) -> None:
    """Draw ``curves.png``: accuracy and loss against the epoch, training and validation."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        epochs = range(1, len(history) + 1)
        axes.plot(epochs, [row[quantity] for row in history], label="training")
        axes.plot(epochs, [row[f"val_{quantity}"] for row in history], label="validation")
        axes.set(xlabel="epoch", ylabel=f"{quantity}, per lead image")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    figure.savefig(folder / "curves.png", dpi=120)


def draw_confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix, rows the true class; colours are shares of a row, numbers are counts."""
    shares = [[count / max(sum(row), 1) for count in row] for row in matrix]
    labels = [[str(count) for count in row] for row in matrix]
    figure, axes = _cells(shares, labels, class_names, class_names)
    axes.set(xlabel="answered", ylabel="true", title=title)
    figure.savefig(path, dpi=120)


def draw_classes(classes: dict[str, dict[str, Any]], title: str, path: Path) -> None:
    """Draw the report by class: precision, recall and F1, 0 to 1; the rows of a class stand beside its name."""
    named = ("precision", "recall", "f1")
    shares = [[row[name] for name in named] for row in classes.values()]
    labels = [[f"{share:.2f}" for share in row] for row in shares]
    names = [f"{name} ({row['rows']})" for name, row in classes.items()]
    figure, axes = _cells(shares, labels, named, names)
    axes.set(title=title)
    figure.savefig(path, dpi=120)


def _cells(
    shares: Sequence[Sequence[float]], labels: Sequence[Sequence[str]], columns: Sequence[str], rows: Sequence[str]
) -> tuple[Figure, Any]:
    """Lay out labelled cells, coloured by ``shares``, 0 to 1."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes: Any = figure.subplots()
    axes.imshow(shares, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns], rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows])
    for row, share_row in enumerate(shares):
        for column, share in enumerate(share_row):
            ink = "white" if 2 * share > 1 else "black"
            axes.text(column, row, labels[row][column], ha="center", va="center", color=ink)
    return figure, axes


def report_text(run: Run, report: dict[str, Any]) -> str:
    """Say in Markdown what the run was and what it reached."""
    settings = run.read_json("config.json")
    prepared, train = settings["prepared"], settings["train"]
    lines = [
        f"# {train['architecture'].upper()}, {prepared['protocol']} protocol, seed {train['seed']}",
        "",
        _PROTOCOL_WORDS[prepared["protocol"]],
        f"Trained for {len(run.history)} epochs; the weights of epoch {run.best_epoch} are kept,",
        "where the validation loss was lowest.",
        "Decision support for research; not a certified medical device.",
        "",
        *_figures_table(report["figures"]),
        "",
        *_copies_words(report["figures"]),
        *_recall_table(report["figures"]),
        "",
    ]
    return "\n".join(lines)


_PROTOCOL_WORDS = {
    "leak-free": "Copies removed, no record on two sides: an image that was trained on is never scored.",
    "published": "Random split over all files, as the literature does it: where a class has copies, most "
    "scored images were trained on byte for byte. The figures say nothing about new patients.",
}


def _figures_table(figures: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| split | per | rows | accuracy (95 %) | balanced accuracy | precision | recall | F1 | macro F1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for split, by_kind in figures.items():
        for per in ("lead_image", "page"):
            row = by_kind[per]
            shares = (row[name] for name in ("balanced_accuracy", "precision", "recall", "f1", "f1_macro"))
            cells = [split, per.replace("_", " "), str(row["rows"]), _share(row["accuracy"], row["accuracy_ci95"])]
            lines.append(f"| {' | '.join([*cells, *(f'{share:.3f}' for share in shares)])} |")
    return lines


def _copies_words(figures: dict[str, dict[str, Any]]) -> list[str]:
    lines = []
    for split, by_kind in figures.items():
        copies, others = by_kind["copies"]["copies"], by_kind["copies"]["others"]
        if copies["pages"]:
            share = copies["pages"] / (copies["pages"] + others["pages"])
            lines += [
                f"{share:.0%} of the {split} pages are copies of training pages. Accuracy per lead image: "
                f"{copies['lead_image_accuracy']:.3f} on them, {others['lead_image_accuracy']:.3f} on the others.",
                "",
            ]
    return lines


def _recall_table(figures: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "Recall by class, per page, with Wilson's 95 % interval:",
        "",
        "| class | validation | test |",
        "|---|---|---|",
    ]
    for name in figures["test"]["page"]["classes"]:
        rows = [figures[split]["page"]["classes"][name] for split in ("validation", "test")]
        cells = [f"{_share(row['recall'], row['recall_ci95'])}, {row['rows']} pages" for row in rows]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _share(share: float, interval: Sequence[float] | None) -> str:
    return f"{share:.3f}" if interval is None else f"{share:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
