"""The file of API keys, read again as it changes, so that a rotation needs no restart. Knows no HTTP."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from service.errors import StartupError
from service.keys import ApiKeys, KeysFormatError

__all__ = ["KeyFile"]

REREAD_S = 1.0
MAX_FILE_BYTES = 2**20

logger = logging.getLogger(__name__)


class KeyFile:
    """The keys of a file as it is now, at most `REREAD_S` late.

    A change that cannot be used (the file is gone or malformed) is told in the log, once; the keys from before go on
    opening the service, so that a slip of the pen does not shut everyone out. A file that has become empty is no slip:
    its last key was withdrawn.

    Raises:
        StartupError: there are no keys to begin with.
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
        """The id of the one who holds this key; ``None``: no one does."""
        if self._clock() - self._read_at >= REREAD_S:
            self._reread()
        return self._keys.id_of(key)

    def _reread(self) -> None:
        self._read_at = self._clock()
        now = self._read()
        # The content, not its time: two changes within one tick of a file system's clock would look like one.
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


def _parsed(content: bytes | None) -> ApiKeys:
    if content is None:
        raise KeysFormatError("the file cannot be read")
    if len(content) > MAX_FILE_BYTES:
        raise KeysFormatError(f"the file has more than {MAX_FILE_BYTES} bytes")
    return ApiKeys.parse(content.decode(errors="replace"))
