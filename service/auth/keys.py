"""API keys and the file of their hashes. ``python -m service.auth.keys new ID >> keys`` makes a key.

SHA-256 suffices: a key is 256 random bits.
"""

import argparse
import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from service.errors import StartupError

__all__ = ["ApiKeys", "KeyFile", "KeysFormatError", "main", "new_key"]

# For scanners for leaked secrets.
KEY_PREFIX = "ecg_"
KEY_BYTES = 32
MAX_KEYS_OF_ONE_ID = 2

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(rf"({_KEY_ID.pattern}):([0-9a-f]{{64}})")
REREAD_S = 1.0
MAX_FILE_BYTES = 2**20

logger = logging.getLogger(__name__)


class KeysFormatError(ValueError):
    """The text is no list of keys. The message quotes none of it."""


class ApiKeys:
    """Ids and hashes of the valid keys."""

    def __init__(self, lines: Iterable[tuple[str, str]]) -> None:
        self._lines = tuple(lines)

    @classmethod
    def parse(cls, text: str) -> "ApiKeys":
        """Read lines of ``key-id:sha256-hex``, comments (``#``) and empty lines, or raise `KeysFormatError`."""
        matches = []
        for number, line in enumerate(map(str.strip, text.splitlines()), 1):
            if line and not line.startswith("#"):
                match = _LINE.fullmatch(line)
                if match is None:
                    raise KeysFormatError(f"line {number} is not key-id:sha256-hex")
                matches.append((match[1], match[2]))
        _check(matches)
        return cls(matches)

    def __len__(self) -> int:
        return len(self._lines)

    def id_of(self, key: str) -> str | None:
        """Return the id of a key, or None."""
        given = _hash(key)
        found = None
        # Every line, in constant time: timing reveals no match.
        for key_id, known in self._lines:
            if hmac.compare_digest(given, known):
                found = key_id
        return found


class KeyFile:
    """The keys of a file, read again at most every `REREAD_S`.

    If the new file is invalid, keep the previous keys and log an error once.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._read_at = clock()
        self._seen = self._read()
        try:
            self._keys = _parsed(self._seen)
        except KeysFormatError as error:
            raise StartupError(f"ECG_KEYS_FILE: {error}.") from error
        if not self._keys:
            raise StartupError("ECG_KEYS_FILE: there is no key in it.")

    def id_of(self, key: str) -> str | None:
        """As `ApiKeys.id_of`."""
        if self._clock() - self._read_at >= REREAD_S:
            self._reread()
        return self._keys.id_of(key)

    def _reread(self) -> None:
        self._read_at = self._clock()
        now = self._read()
        # Not by the file's time, which two changes can share.
        if now == self._seen:
            return
        self._seen = now
        try:
            self._keys = _parsed(now)
        except KeysFormatError as error:
            logger.error("keys_file_refused", extra={"fields": {"reason": str(error)}})  # noqa: TRY400 - no traceback
        else:
            logger.info("keys_file_read", extra={"fields": {"keys": len(self._keys)}})

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except OSError:
            return None


def new_key(key_id: str) -> tuple[str, str]:
    """Make a key; return it and its line for the file."""
    if not _KEY_ID.fullmatch(key_id):
        raise KeysFormatError("an id has 1 to 64 of A-Z a-z 0-9 . _ -")
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return key, f"{key_id}:{_hash(key)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the line of a new key to stdout and the key to stderr."""
    parser = argparse.ArgumentParser(prog="python -m service.auth.keys", description="Keys of the service's callers.")
    new = parser.add_subparsers(required=True).add_parser(
        "new", help="make a key: append stdout to the file of ECG_KEYS_FILE; the key itself is shown once, on stderr"
    )
    new.add_argument("id", help="who holds the key: the name in the log and the audit; 1 to 64 of A-Z a-z 0-9 . _ -")
    try:
        key, line = new_key(parser.parse_args(arguments).id)
    except KeysFormatError as error:
        parser.error(str(error))
    sys.stdout.write(f"{line}\n")
    sys.stderr.write(f"The key, shown only here (its line for the file went to stdout):\n{key}\n")


def _check(lines: Sequence[tuple[str, str]]) -> None:
    if len({known for _, known in lines}) < len(lines):
        raise KeysFormatError("a key is there twice")
    if max(Counter(key_id for key_id, _ in lines).values(), default=0) > MAX_KEYS_OF_ONE_ID:
        raise KeysFormatError(f"an id has more than {MAX_KEYS_OF_ONE_ID} keys: the oldest is forgotten, not needed")


def _parsed(content: bytes | None) -> ApiKeys:
    if content is None:
        raise KeysFormatError("the file cannot be read")
    if len(content) > MAX_FILE_BYTES:
        raise KeysFormatError(f"the file has more than {MAX_FILE_BYTES} bytes")
    return ApiKeys.parse(content.decode(errors="replace"))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


if __name__ == "__main__":
    main()
