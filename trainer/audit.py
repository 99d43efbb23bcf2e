"""What a data folder really holds: distinct images, copies, label conflicts, sizes, groups. Changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from PIL import Image

from trainer.classes import CLASS_NAMES
from trainer.dataset import LabelledPage

__all__ = ["audit", "audit_table"]


def audit(pages: Sequence[LabelledPage]) -> dict[str, Any]:
    """Count what matters before any figure is believed; plain JSON types.

    A copy is a file whose bytes stand in another file of the folder already. A label conflict is one content under
    two classes; ``unreadable`` are paths. ``groups_across_classes`` are records with pages of more than one class.
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
    return "\n".join(lines)
