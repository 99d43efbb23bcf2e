"""Tables of groups: which record each page belongs to, as spreadsheets and shells write them."""

import codecs
import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import DatasetError

__all__ = ["Groups", "read_groups"]

_HASH, _RECORD = "sha256", "record_id"
_DELIMITERS = ",;\t"
_NOT_OF_THE_TABLE = ("#TYPE", "sep=")  # PowerShell's Export-Csv; a hint for Excel
_WORKBOOK = b"PK\x03\x04"
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Groups:
    """Record ids by the SHA-256 of page files."""

    path: Path
    records: Mapping[str, str | None]
    """None where the table leaves the record open."""

    def record(self, sha256: str) -> str | None:
        """Give the record id of a page file; None where the table has no row or no id for it."""
        return self.records.get(sha256)


def read_groups(path: Path) -> Groups:
    """Read a table with the columns ``sha256`` and ``record_id``.

    Commas, semicolons or tabs separate columns; the text is UTF-8, UTF-16 with a byte order mark, or Windows-1252.
    Case and blanks around names, hashes and ids do not matter.

    Raises:
        DatasetError: it is no such table, has a value that is no SHA-256, gives a page two records, or a spreadsheet
            rounded its ids.
    """
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith(_NOT_OF_THE_TABLE)]
    if not lines:
        raise DatasetError(f"{path} is empty; expected the columns {_HASH} and {_RECORD}")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    rows = csv.reader(lines, delimiter=delimiter)
    names = [name.strip().casefold() for name in next(rows)]
    if not {_HASH, _RECORD} <= set(names):
        raise DatasetError(f"{path} has the columns {', '.join(names)}; expected {_HASH} and {_RECORD}")
    places = names.index(_HASH), names.index(_RECORD)
    records: dict[str, str | None] = {}
    for number, row in enumerate(rows, start=2):
        sha256, record = (row[place].strip() if place < len(row) else "" for place in places)
        if sha256 or record:
            _add(records, sha256.lower(), record or None, f"{path}, row {number}")
    return Groups(path, records)


def _add(records: dict[str, str | None], sha256: str, record: str | None, where: str) -> None:
    if not _SHA256.fullmatch(sha256):
        raise DatasetError(f"{where}: {sha256[:80]!r} is no SHA-256; expected 64 hexadecimal digits")
    if record is not None and _ROUNDED.fullmatch(record):
        raise DatasetError(f"{where}: a spreadsheet rounded the record id to {record}; format the column as text")
    if records.get(sha256) not in (None, record) and record is not None:
        raise DatasetError(
            f"{where}: the page {sha256[:12]}… has the record id {record}, but {records[sha256]} further up; keep one"
        )
    records[sha256] = record or records.get(sha256)


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith(_WORKBOOK):
        raise DatasetError(f"{path} is an Excel workbook; save it as CSV")
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" in data:
            raise DatasetError(f"{path} is no text; save it as CSV in UTF-8")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
