"""What a data folder really holds: distinct pages, copies, label conflicts, sizes, groups, and what cannot be used."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from trainer.classes import CLASS_NAMES
from trainer.dataset import DataSet, LabelledPage
from trainer.errors import DatasetError
from trainer.splits import split_pages

__all__ = ["audit", "audit_table", "data_facts"]

_SEEDS = 100


def audit(pages: Sequence[LabelledPage]) -> dict[str, Any]:
    """Count what matters before any figure is believed; plain JSON types.

    A copy shows the same page as a file before it, whatever its bytes; ``saved_again`` counts those with other bytes. A
    label conflict is one page under two classes. ``groups_across_classes`` are records with pages of more than one
    class. ``validation_copies`` says what a random split would make of the copies; None where there are too few files.
    """
    classes_of: dict[str, set[str]] = defaultdict(set)
    classes_of_group: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        classes_of[page.image].add(page.class_name)
        classes_of_group[page.group].add(page.class_name)
    return {
        "files": len(pages),
        "distinct": len(classes_of),
        "copies": len(pages) - len(classes_of),
        "saved_again": len({page.sha256 for page in pages}) - len(classes_of),
        "label_conflicts": sorted(image for image, classes in classes_of.items() if len(classes) > 1),
        "groups": len(classes_of_group),
        "groups_across_classes": sum(len(classes) > 1 for classes in classes_of_group.values()),
        "sizes_px": dict(Counter(page.size for page in pages if page.size).most_common()),
        "validation_copies": _validation_copies(pages),
        "classes": {name: _class_facts([page for page in pages if page.class_name == name]) for name in CLASS_NAMES},
    }


def data_facts(data: DataSet) -> dict[str, Any]:
    """Give the facts of `audit` about the usable pages, and what else the folder holds."""
    return {
        **audit(data.pages),
        "folders": {name: data.folders.of_class(name) for name in CLASS_NAMES},
        "refused": data.refusals(),
        "ignored": data.folders.ignored,
    }


def _class_facts(pages: Sequence[LabelledPage]) -> dict[str, int]:
    times = Counter(page.image for page in pages)
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
        trained = {page.image for page in parts["train"]}
        shares.append(fmean(page.image in trained for page in parts["validation"]))
    return {"mean": fmean(shares), "smallest": min(shares), "largest": max(shares)}


def audit_table(facts: dict[str, Any]) -> str:
    """Lay out the facts of `data_facts` for a terminal."""
    columns = ("files", "distinct", "copies", "most_often", "groups")
    total = {"most_often": max(row["most_often"] for row in facts["classes"].values()), **facts}
    rows = [*facts["classes"].items(), ("all", total)]
    lines = ["".join([f"{'class':<24}", *(f"{column.replace('_', ' '):>12}" for column in columns)])]
    lines += ["".join([f"{name:<24}", *(f"{row[column]:>12}" for column in columns)]) for name, row in rows]
    lines += [
        "",
        f"sizes (px): {', '.join(f'{size} ({count})' for size, count in facts['sizes_px'].items())}",
        f"copies that were saved again: {facts['saved_again']}",
        f"label conflicts: {len(facts['label_conflicts'])}",
        f"groups with pages of more than one class: {facts['groups_across_classes']}",
        *_listed("cannot be used", facts["refused"]),
        *_listed("ignored", facts["ignored"]),
    ]
    if copies := facts["validation_copies"]:
        lines.append(
            f"validation files that a random split also trains on: {copies['mean']:.0%} "
            f"({copies['smallest']:.0%} to {copies['largest']:.0%} over {_SEEDS} seeds)"
        )
    return "\n".join(lines)


def _listed(words: str, entries: Sequence[str]) -> list[str]:
    return [f"{words}: {len(entries) or 'none'}", *(f"  {entry}" for entry in entries)]
