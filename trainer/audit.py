"""What a data folder really holds: distinct images, copies, label conflicts, sizes, groups. Changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from PIL import Image

from trainer.classes import CLASS_NAMES
from trainer.dataset import LabelledPage
from trainer.errors import DatasetError
from trainer.splits import split_pages

__all__ = ["audit", "audit_table"]

_SEEDS = 100


def audit(pages: Sequence[LabelledPage]) -> dict[str, Any]:
    """Count what matters before any figure is believed; plain JSON types.

    A copy is a file whose bytes stand in another file of the folder already. A label conflict is one content under
    two classes. ``groups_across_classes`` are records with pages of more than one class. ``unreadable`` are paths.
    ``validation_copies`` says what a random split would make of the copies; None where there are too few files.
    """
    classes_of: dict[str, set[str]] = defaultdict(set)
    classes_of_group: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        classes_of[page.sha256].add(page.class_name)
        classes_of_group[page.group].add(page.class_name)
    sizes = [_size(page) for page in pages]
    per_class = {name: _class_facts([page for page in pages if page.class_name == name]) for name in CLASS_NAMES}
    return {
        "files": len(pages),
        "distinct": len(classes_of),
        "copies": len(pages) - len(classes_of),
        "label_conflicts": sorted(sha256 for sha256, classes in classes_of.items() if len(classes) > 1),
        "groups": len(classes_of_group),
        "groups_across_classes": sum(len(classes) > 1 for classes in classes_of_group.values()),
        "sizes_px": dict(Counter(size for size in sizes if size).most_common()),
        "unreadable": [str(page.path) for page, size in zip(pages, sizes, strict=True) if not size],
        "validation_copies": _validation_copies(pages),
        "classes": per_class,
    }


def _class_facts(pages: Sequence[LabelledPage]) -> dict[str, int]:
    times = Counter(page.sha256 for page in pages)
    return {
        "files": len(pages),
        "distinct": len(times),
        "copies": len(pages) - len(times),
        "most_often": max(times.values(), default=0),
        "groups": len({page.group for page in pages}),
    }


def _validation_copies(pages: Sequence[LabelledPage]) -> dict[str, float] | None:
    """How large a share of the published split's validation files is trained on as a copy, over many seeds."""
    shares = []
    for seed in range(_SEEDS):
        try:
            parts = split_pages(pages, "published", seed)
        except DatasetError:
            return None
        trained = {page.sha256 for page in parts["train"]}
        shares.append(fmean(page.sha256 in trained for page in parts["validation"]))
    return {"mean": fmean(shares), "smallest": min(shares), "largest": max(shares)}


def _size(page: LabelledPage) -> str | None:
    """Width and height by the header; None where that cannot be read."""
    try:
        with Image.open(page.path, formats=("JPEG", "PNG")) as image:
            return f"{image.width} x {image.height}"
    except OSError:
        return None


def audit_table(facts: dict[str, Any]) -> str:
    """The audit as a table for a terminal."""
    columns = ("files", "distinct", "copies", "most_often", "groups")
    total = {"most_often": max(row["most_often"] for row in facts["classes"].values()), **facts}
    rows = [*facts["classes"].items(), ("all", total)]
    lines = ["".join([f"{'class':<24}", *(f"{column.replace('_', ' '):>12}" for column in columns)])]
    lines += ["".join([f"{name:<24}", *(f"{row[column]:>12}" for column in columns)]) for name, row in rows]
    lines += [
        "",
        f"sizes (px): {', '.join(f'{size} ({count})' for size, count in facts['sizes_px'].items())}",
        f"label conflicts: {len(facts['label_conflicts'])}",
        f"groups with pages of more than one class: {facts['groups_across_classes']}",
        f"unreadable: {', '.join(facts['unreadable']) or 'none'}",
    ]
    if copies := facts["validation_copies"]:
        lines.append(
            f"validation files that a random split also trains on: {copies['mean']:.0%} "
            f"({copies['smallest']:.0%} to {copies['largest']:.0%} over {_SEEDS} seeds)"
        )
    return "\n".join(lines)
