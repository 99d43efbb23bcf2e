"""Which bundle each alias points at, and pointed at before.

Readers take no lock and write nothing: both files are only ever replaced whole. Writers take turns.
"""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from model_registry.durable import replace_file
from model_registry.errors import BrokenAliasesError, NothingToRollBackError, UnreadableRegistryError
from model_registry.names import Name, Ref

__all__ = ["AliasTable"]

_T = TypeVar("_T")
_ALIASES = TypeAdapter(dict[Name, Ref])
_HISTORY = TypeAdapter(dict[Name, list[Ref]])


class AliasTable:
    """The alias file of a registry, and beside it the history that roll-backs walk."""

    def __init__(self, folder: Path) -> None:
        self._aliases = folder / "aliases.json"
        self._history = folder / "aliases-history.json"
        self._lock = folder / ".aliases.lock"

    def read(self) -> dict[str, str]:
        """Every alias with the `name/version` it points at.

        Raises:
            BrokenAliasesError: the file is no JSON object of alias to `name/version`.
            UnreadableRegistryError: the operating system refuses to read it.
        """
        return _read(self._aliases, _ALIASES)

    def point(self, alias: str, ref: str) -> None:
        """Let an alias point at a bundle; what it pointed at before can be rolled back to.

        Raises:
            BrokenAliasesError: A file here is not what this class writes.
            OSError: A file cannot be written.
        """
        with self._turn():
            aliases, history = self.read(), _read(self._history, _HISTORY)
            current = aliases.get(alias)
            if current == ref:
                return
            # History first: an interrupted promotion leaves the current bundle on top of it, which roll_back ignores.
            if current is not None:
                _write(self._history, history | {alias: [*history.get(alias, []), current]})
            _write(self._aliases, aliases | {alias: ref})

    def roll_back(self, alias: str, verify: Callable[[str], object]) -> str:
        """Let an alias point at what it pointed at before, if `verify` accepts that bundle; return which it is.

        Raises:
            NothingToRollBackError: there is no earlier bundle.
            BrokenAliasesError: A file here is not what this class writes.
            OSError: A file cannot be written.
        """
        with self._turn():
            aliases, history = self.read(), _read(self._history, _HISTORY)
            earlier = history.get(alias, [])
            while earlier and earlier[-1] == aliases.get(alias):
                earlier.pop()
            if not earlier:
                raise NothingToRollBackError(
                    f"There is no earlier bundle to roll {alias} back to; promote one instead."
                )
            ref = earlier.pop()
            verify(ref)
            # History last, for the same reason as in point().
            _write(self._aliases, aliases | {alias: ref})
            _write(self._history, history)
            return ref

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(path: Path, kind: TypeAdapter[dict[str, _T]]) -> dict[str, _T]:
    try:
        return kind.validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnreadableRegistryError(f"{path.name} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise BrokenAliasesError(f"{path.name} is damaged; restore it.") from error


def _write(path: Path, content: object) -> None:
    replace_file(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")
