"""A folder or bucket that holds a run: files are created whole, once, and only where there is none of that name."""

import errno
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, from_url

from batch.errors import InputError, StorageError
from model_registry.durable import replace_file, sync_folder, write_file

if TYPE_CHECKING:
    from obstore import ReadableFile

__all__ = ["Bucket", "Folder", "Storage", "is_url", "local_path", "open_bucket", "open_storage", "reading_bucket"]

_SCHEMES = ("s3", "gs", "az", "abfss")
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


class Folder:
    """A folder of this machine, or one that a file server gives to several."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)

    def open(self, name: str) -> Path | None:
        """Give what a Parquet reader opens; ``None``: there is no such file."""
        return path if (path := self._path / name).is_file() else None

    def read(self, name: str) -> bytes | None:
        """Read a file; ``None``: there is none.

        Raises:
            StorageError: the operating system refuses.
        """
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from error

    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file unless there is one of that name; say whether it was written.

        A hard link appears at once and replaces nothing, also on NFS.

        Raises:
            StorageError: the file cannot be written.
        """
        path = self._path / name
        scratch = path.with_name(f".partial-{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(scratch, content)
            os.link(scratch, path)
            sync_folder(path.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed("write", error) from error
        finally:
            scratch.unlink(missing_ok=True)
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a whole file in place of any other.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            replace_file(self._path / name, content)
        except OSError as error:
            raise self._failed("write", error) from error

    def names(self, folder: str) -> set[str]:
        """List the files of a folder, without those that are being written.

        Raises:
            StorageError: the operating system refuses.
        """
        try:
            return {name for name in os.listdir(self._path / folder) if not name.startswith(".")}  # noqa: PTH208 - 10,000 names
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise self._failed("read", error) from error

    def delete(self, folder: str) -> None:
        """Delete the files of a folder, as far as they are still there.

        Raises:
            StorageError: the operating system refuses.
        """
        try:
            for name in self.names(folder):
                (self._path / folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._failed("write", error) from error

    def _failed(self, verb: str, error: OSError) -> StorageError:
        if error.errno in _NO_HARD_LINKS:
            return StorageError(
                f"{self.location}: this file system has no hard links, which a run needs. "
                "Choose an OUTPUT on a local disk, on NFS or in a bucket."
            )
        return StorageError(
            f"Cannot {verb} {self.location}: {error.strerror}. "
            "Finished chunks are kept: put this right and run the same command again."
        )


class Bucket:
    """A prefix of an object store: S3, Google Cloud Storage or Azure Blob Storage.

    Conditional writes (``If-None-Match: *``) keep runners from replacing each other's objects.
    """

    def __init__(self, url: str) -> None:
        self.location = url.rstrip("/")
        self._store, self._prefix = open_bucket(self.location)

    def open(self, name: str) -> "_Object | None":
        """Give what a Parquet reader opens; ``None``: there is no such object.

        Raises:
            StorageError: the bucket cannot be read.
        """
        with reading_bucket(self.location):
            try:
                return _Object(obstore.open_reader(self._store, self._key(name)))
            except FileNotFoundError:
                return None

    def read(self, name: str) -> bytes | None:
        """Read an object; ``None``: there is none.

        Raises:
            StorageError: the bucket cannot be read.
        """
        with reading_bucket(self.location):
            try:
                return bytes(obstore.get(self._store, self._key(name)).bytes())
            except FileNotFoundError:
                return None

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of that name; say whether it was written.

        Raises:
            StorageError: the bucket cannot be written.
        """
        with self._writing():
            try:
                obstore.put(self._store, self._key(name), content, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def replace(self, name: str, content: bytes) -> None:
        """Write an object in place of any other.

        Raises:
            StorageError: the bucket cannot be written.
        """
        with self._writing():
            obstore.put(self._store, self._key(name), content)

    def names(self, folder: str) -> set[str]:
        """List the objects of a folder.

        Raises:
            StorageError: the bucket cannot be read.
        """
        with reading_bucket(self.location):
            batches = obstore.list(self._store, self._key(folder), chunk_size=1000)
            return {entry["path"].rpartition("/")[2] for batch in batches for entry in batch}

    def delete(self, folder: str) -> None:
        """Delete the objects of a folder.

        Raises:
            StorageError: the bucket cannot be written.
        """
        with self._writing():
            obstore.delete(self._store, [self._key(f"{folder}/{name}") for name in self.names(folder)])

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}".lstrip("/")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise StorageError(
                f"Cannot write {self.location}: {_first_line(error)}. "
                "Finished chunks are kept: put this right and run the same command again."
            ) from error


class _Object(io.RawIOBase):
    """An object that is read in parts, with all that a Parquet reader asks of a file."""

    def __init__(self, reader: "ReadableFile") -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def read(self, size: int = -1) -> bytes:
        return bytes(self._reader.readall() if size < 0 else self._reader.read(size))


Storage = Folder | Bucket


def open_storage(location: str) -> Storage:
    """Give the folder or bucket that a path or URL names; it need not exist yet.

    Raises:
        InputError: the URL is of no kind that can be used.
    """
    if is_url(location) and not location.startswith("file:"):
        return Bucket(location)
    return Folder(local_path(location).absolute())


def open_bucket(url: str) -> tuple[ObjectStore, str]:
    """Give the store of a URL such as ``s3://bucket/prefix``, and the prefix.

    Credentials, region and endpoint come from the environment, as the object store's own tools read them.

    Raises:
        InputError: the URL is of no kind that can be used.
    """
    parts = urlsplit(url, allow_fragments=False)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise InputError(f"{url}: expected a path, or a URL that begins with file:, {', '.join(_SCHEMES)} and ://.")
    try:
        return from_url(f"{parts.scheme}://{parts.netloc}"), parts.path.strip("/")
    except (BaseError, ValueError) as error:
        raise InputError(f"{url}: {_first_line(error)}.") from error


def is_url(location: str) -> bool:
    """Say whether this is a URL rather than a path."""
    return "://" in location


def local_path(location: str) -> Path:
    """Give the path of a ``file:`` URL, percent-encoded bytes decoded, or of what is a path already."""
    path = urlsplit(location).path if location.startswith("file:") else None
    return Path(location if path is None else unquote(path, errors="surrogateescape"))


@contextmanager
def reading_bucket(location: str) -> Iterator[None]:
    """Turn the object store's errors into ours.

    Raises:
        StorageError: the bucket cannot be read.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageError(
            f"Cannot read {location}: {_first_line(error)}. "
            "Check the name, the credentials and the network, and run the same command again."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
