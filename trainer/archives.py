"""Pages that are still in a ZIP archive: unpacked into a temporary folder, which goes when the program ends."""

import atexit
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from trainer.errors import DatasetError

__all__ = ["unpack"]

_LARGEST_MEMBER_BYTES = 2**31
"""More than the whole data set; stops an archive that would fill the disk."""


def unpack(archive: Path, shown: str) -> Path:
    """Unpack a ZIP archive and return the folder; hidden files are left out.

    Args:
        archive: the file.
        shown: how messages name it.

    Raises:
        DatasetError: it is damaged, needs a password, or does not fit on the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="ecg-trainer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with ZipFile(archive) as content:
            for member in filter(_wanted, content.infolist()):
                content.extract(member, folder)  # drops drive letters, leading slashes and ".."
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DatasetError(f"{shown} cannot be unpacked ({error}); download it again or unpack it yourself") from error
    except OSError as error:
        raise DatasetError(
            f"{shown} cannot be unpacked into {folder} ({error.strerror}); unpack it yourself"
        ) from error
    return folder


def _wanted(member: ZipInfo) -> bool:
    names = PurePosixPath(member.filename).parts
    hidden = any(name.startswith(".") or name == "__MACOSX" for name in names)
    return not member.is_dir() and not hidden and member.file_size <= _LARGEST_MEMBER_BYTES
