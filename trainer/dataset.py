"""A data folder as labelled pages: each one's class, copies among them, and what stays on one side of a split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared_preproc.errors import PreprocError
from trainer.errors import DatasetError
from trainer.folders import Folders, PageFile, find_pages, missing_classes
from trainer.groups import Groups, read_groups
from trainer.inspection import Inspection, copies, inspect_pages

__all__ = ["DataSet", "LabelledPage", "read_data", "read_pages"]

_MOST_NAMED = 20


@dataclass(frozen=True)
class LabelledPage:
    """One page of a class."""

    path: Path
    class_name: str
    name: str
    """Unique within its class: the file's name without its ending, or with its folders where two are the same."""
    sha256: str
    """Of the file, hex."""
    image: str
    """SHA-256 of the first file that shows the same page: equal for copies, whatever their bytes."""
    group: str
    """What must stay on one side of a split: the record id where a table gives one, else ``image``."""
    fingerprint: str | None = None
    """Of its curves."""
    size: str | None = None
    """In pixels."""


@dataclass(frozen=True)
class DataSet:
    """A data folder, inspected."""

    pages: list[LabelledPage]
    """Those that the service would classify; by class, then by folder and name."""
    folders: Folders
    refused: Mapping[str, PreprocError]
    """Why the service would refuse the others, by where they stand."""

    def refusals(self) -> list[str]:
        """Say what is wrong with each page that cannot be used, one line each."""
        return [f"{place}: {error.found}; expected {error.expected}" for place, error in self.refused.items()]

    def usable(self) -> list[LabelledPage]:
        """Give every page.

        Raises:
            DatasetError: some pages cannot be used; the message names all of them.
        """
        if not self.refused:
            return self.pages
        named = [f"  {line}" for line in self.refusals()]
        more = [f"  and {len(named) - _MOST_NAMED} more; the step audit lists all"] if len(named) > _MOST_NAMED else []
        count = len(self.pages) + len(self.refused)
        raise DatasetError(
            f"{len(named)} of {count} pages cannot be used; remove or replace them:\n"
            + "\n".join([*named[:_MOST_NAMED], *more])
        )


def read_pages(data: Path, groups_csv: Path | None = None) -> list[LabelledPage]:
    """Give every page under ``data``, all four classes, inspected; arguments and errors as `read_data`.

    Raises:
        DatasetError: a class has no page, or a page cannot be used.
    """
    return read_data(data, groups_csv).usable()


def read_data(data: Path, groups_csv: Path | None = None, *, every_class: bool = True) -> DataSet:
    """Find the class folders under ``data`` (`find_pages`) and inspect every page.

    Args:
        data: a folder, or a ZIP archive.
        groups_csv: a table with the columns ``sha256`` and ``record_id`` (`read_groups`).
        every_class: whether each of the four classes has to be there.

    Raises:
        DatasetError: there is no class folder, a class is missing, or the table contradicts itself or the pages.
    """
    groups = None if groups_csv is None else read_groups(groups_csv)
    folders = find_pages(data)
    if every_class and (missing := missing_classes(folders)):
        raise DatasetError(f"{data} holds {missing}.\nFound:\n{folders.words()}")
    inspections = inspect_pages([file.path for file in folders.files])
    inspected = list(zip(folders.files, inspections, strict=True))
    refused = {str(file.shown): one.refusal for file, one in inspected if one.refusal is not None}
    usable = [(file, one) for file, one in inspected if one.refusal is None]
    images = copies([one for _, one in usable])
    group_of = _groups(usable, images, groups)
    pages = [
        LabelledPage(
            path=file.path,
            class_name=file.class_name,
            name=name,
            sha256=one.sha256,
            image=image,
            group=group_of[image],
            fingerprint=one.fingerprint,
            size=one.size,
        )
        for (file, one), name, image in zip(usable, _names([file for file, _ in usable]), images, strict=True)
    ]
    return DataSet(pages, folders, refused)


def _names(files: Sequence[PageFile]) -> list[str]:
    """Name each page within its class."""
    times = Counter((file.class_name, file.shown.stem) for file in files)
    return [
        file.shown.stem if times[file.class_name, file.shown.stem] == 1 else "-".join(file.shown.parts)
        for file in files
    ]


def _groups(
    pages: Sequence[tuple[PageFile, Inspection]], images: Sequence[str], groups: Groups | None
) -> dict[str, str]:
    """Give the group of each image: the record of any of its files.

    Raises:
        DatasetError: the table has no row for a page, or two records for copies of one page.
    """
    if groups is None:
        return {image: image for image in images}
    listed = {image for (_, one), image in zip(pages, images, strict=True) if one.sha256 in groups.records}
    if missing := [str(file.shown) for (file, _), image in zip(pages, images, strict=True) if image not in listed]:
        some = ", ".join([*missing[:3], *(["…"] if missing[3:] else [])])
        raise DatasetError(
            f"{groups.path} has no row for {len(missing)} of {len(pages)} pages ({some}); "
            "add them, with the SHA-256 of each file"
        )
    records: dict[str, str] = {}
    for (file, one), image in zip(pages, images, strict=True):
        record = groups.record(one.sha256)
        if record is None:
            continue
        if records.setdefault(image, record) != record:
            raise DatasetError(
                f"{groups.path}: {file.shown} is a copy of a page with the record id {records[image]}, "
                f"but has {record}; give copies one id"
            )
    return {image: f"record {records[image]}" if image in records else image for image in images}
