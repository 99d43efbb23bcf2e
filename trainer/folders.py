"""Class folders on disk: found at any depth and in ZIP archives, with what stands beside the pages."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from trainer.archives import unpack
from trainer.classes import CLASS_FOLDERS, CLASS_NAMES, class_of_folder
from trainer.errors import DatasetError

__all__ = ["Folders", "PageFile", "find_pages", "missing_classes"]

_PAGE_SUFFIXES = frozenset({".jfif", ".jpe", ".jpeg", ".jpg", ".png"})
_ARCHIVE_SUFFIX = ".zip"
_DEEPEST = 8  # folders inside one another; bounds archives in archives and links in a circle


@dataclass(frozen=True)
class PageFile:
    """One page file of a class."""

    path: Path
    shown: PurePath
    """Where it stands in the data folder, archives included: for people."""
    class_name: str

    @property
    def archive(self) -> PurePath | None:
        """The outermost ZIP archive around the file; None where there is none."""
        return next((one for one in reversed(self.shown.parents) if one.suffix.lower() == _ARCHIVE_SUFFIX), None)


@dataclass(frozen=True)
class Folders:
    """What a data folder holds."""

    files: list[PageFile] = field(default_factory=list)
    """By class, then by folder and name."""
    ignored: list[str] = field(default_factory=list)
    """Files in class folders that are no pages, and folders of pages that stand for no class."""

    def of_class(self, class_name: str) -> dict[str, int]:
        """Count the pages of a class by their folder."""
        return Counter(str(file.shown.parent) for file in self.files if file.class_name == class_name)

    def words(self) -> str:
        """Say which folder stands for which class, one line each."""
        lines = [
            f"{class_name:<24}{count:>6} pages in {folder}"
            for class_name in CLASS_NAMES
            for folder, count in sorted(self.of_class(class_name).items())
        ]
        return "\n".join(lines)


def find_pages(data: Path) -> Folders:
    """Find the pages of every class under ``data``, a folder or a ZIP archive.

    A folder stands for a class by its name (`class_of_folder`), and so do the folders in it: the class folders may be
    wrapped in other folders, or divided among folders such as train and test. Hidden files are skipped.

    Raises:
        DatasetError: ``data`` is not there, no folder in it stands for a class, or an archive cannot be unpacked.
    """
    if not data.exists():
        raise DatasetError(f"{data} does not exist; name the folder or ZIP archive that holds the class folders")
    found, strays = Folders(), Counter[str]()
    for path, shown, class_name in _walk(data, PurePath(), None, 0):
        is_page = path.suffix.lower() in _PAGE_SUFFIXES
        if is_page and class_name:
            found.files.append(PageFile(path, shown, class_name))
        elif is_page:
            strays[str(shown.parent)] += 1
        elif class_name:
            found.ignored.append(f"{shown}: neither JPEG nor PNG by its name")
    if not found.files:
        raise DatasetError(f"{data} holds no class folder with pages; expected {_expected()}")
    found = _unpacked_first(found)
    found.files.sort(key=lambda file: (CLASS_NAMES.index(file.class_name), file.shown.parts))
    found.ignored[:0] = [f"{folder}: {count} pages in no class folder" for folder, count in sorted(strays.items())]
    return found


def missing_classes(found: Folders) -> str | None:
    """Say which classes have no page; None where each has one."""
    present = {file.class_name for file in found.files}
    missing = [name for name in CLASS_NAMES if name not in present]
    return f"no page of {', '.join(missing)}; expected {_expected()}" if missing else None


def _unpacked_first(found: Folders) -> Folders:
    """Leave out archived pages of a class that has folders too: usually the same pages, unpacked beside the archive."""
    in_folders = {file.class_name for file in found.files if file.archive is None}
    twice = Counter(
        f"{file.archive}: not used for {file.class_name}, which has folders as well"
        for file in found.files
        if file.archive is not None and file.class_name in in_folders
    )
    kept = [file for file in found.files if file.archive is None or file.class_name not in in_folders]
    return Folders(kept, [*found.ignored, *twice])


def _expected() -> str:
    return f"the folders {', '.join(CLASS_FOLDERS)}, or those that Mendeley Data publishes"


def _walk(
    path: Path, shown: PurePath, class_name: str | None, depth: int
) -> Iterator[tuple[Path, PurePath, str | None]]:
    """Give every file that is not hidden, where it is shown, and the class that the folders around it stand for."""
    if path.is_file() and path.suffix.lower() == _ARCHIVE_SUFFIX:
        path = unpack(path, str(shown) if shown.parts else str(path))
    if not path.is_dir():
        yield path, shown, class_name
    elif depth <= _DEEPEST:
        for child in sorted(path.iterdir()):
            if child.name.startswith(".") or child.name == "__MACOSX":
                continue
            holds_more = child.is_dir() or child.suffix.lower() == _ARCHIVE_SUFFIX
            named = class_of_folder(child.name if child.is_dir() else child.stem) if holds_more else None
            yield from _walk(child, shown / child.name, named or class_name, depth + 1)
