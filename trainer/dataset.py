"""The class folders on disk, as a list of labelled pages."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.classes import CLASS_FOLDERS
from trainer.errors import DatasetError

__all__ = ["LabelledPage", "read_known_pages", "read_pages"]

_PAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True)
class LabelledPage:
    """One file of a class folder."""

    path: Path
    class_name: str
    sha256: str
    group: str
    """What must stay on one side of a split: the record id where a table gives one, else the content hash."""

    @property
    def name(self) -> str:
        """Unique within its class: the file's name without its ending."""
        return self.path.stem


def read_pages(data: Path, groups_csv: Path | None = None) -> list[LabelledPage]:
    """List every page under ``data``, which holds one folder a class (`CLASS_FOLDERS`), ordered by class and name.

    ``groups_csv`` has the columns ``sha256`` and ``record_id``.

    Raises:
        DatasetError: a class folder is missing or empty, two files of a class share a name, or the table lacks a
            column or a page.
    """
    return _labelled({data / folder: class_name for folder, class_name in CLASS_FOLDERS.items()}, groups_csv)


def read_known_pages(data: Path, groups_csv: Path | None = None) -> list[LabelledPage]:
    """List the same where classes may be missing, and folders may have the classes' own names (`normal`).

    Raises:
        DatasetError: there is no class folder at all, or as `read_pages`.
    """
    names = {**CLASS_FOLDERS, **{name: name for name in CLASS_FOLDERS.values()}}
    found = {data / folder: class_name for folder, class_name in names.items() if (data / folder).is_dir()}
    if not found:
        raise DatasetError(f"{data} holds no class folder; expected some of {', '.join(names)}")
    return _labelled(found, groups_csv)


def _labelled(folders: Mapping[Path, str], groups_csv: Path | None) -> list[LabelledPage]:
    groups = _read_groups(groups_csv) if groups_csv else None
    pages: list[LabelledPage] = []
    for folder, class_name in folders.items():
        for path in _page_paths(folder):
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            pages.append(
                LabelledPage(path, class_name, sha256, sha256 if groups is None else _group(groups, sha256, path))
            )
    return pages


def _page_paths(folder: Path) -> Sequence[Path]:
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _PAGE_SUFFIXES)
    if not paths:
        raise DatasetError(f"{folder} holds no .jpg or .png page; expected the folders {', '.join(CLASS_FOLDERS)}")
    stems = [path.stem for path in paths]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DatasetError(f"{folder} holds two files named {twice}; rename one")
    return paths


def _read_groups(groups_csv: Path) -> dict[str, str]:
    with groups_csv.open(newline="") as handle:
        rows = csv.DictReader(handle)
        if not {"sha256", "record_id"} <= set(rows.fieldnames or ()):
            raise DatasetError(f"{groups_csv} lacks the columns sha256 and record_id")
        return {row["sha256"]: f"record {row['record_id']}" if row["record_id"] else row["sha256"] for row in rows}


def _group(groups: dict[str, str], sha256: str, path: Path) -> str:
    try:
        return groups[sha256]
    except KeyError:
        raise DatasetError(f"the table of groups has no row for {path.name} (sha256 {sha256[:12]}…)") from None
