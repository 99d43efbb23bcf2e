"""What bundles and aliases are called, and what is refused as a name."""

import re
from typing import Annotated

from pydantic import StringConstraints

from model_registry.errors import InvalidReferenceError

__all__ = ["Name", "Ref", "Version", "check_alias", "is_name", "is_version", "split_reference"]

_NAME = "[a-z][a-z0-9_-]{0,62}"
_VERSION = "[1-9][0-9]{0,8}"
_SHOWN_CHARACTERS = 80

Name = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
Version = Annotated[str, StringConstraints(pattern=f"^{_VERSION}$")]
Ref = Annotated[str, StringConstraints(pattern=f"^{_NAME}/{_VERSION}$")]
"""`name/version`: exactly one bundle."""


def is_name(text: str) -> bool:
    """Whether a bundle or an alias may be called so."""
    return re.fullmatch(_NAME, text) is not None


def is_version(text: str) -> bool:
    """Whether this is a version: a positive integer without leading zeros."""
    return re.fullmatch(_VERSION, text) is not None


def check_alias(alias: str) -> None:
    """Refuse what cannot be an alias.

    Raises:
        InvalidReferenceError: not a name.
    """
    if not is_name(alias):
        raise InvalidReferenceError(f"{_shown(alias)} cannot be an alias: expected {_NAME}.")


def split_reference(reference: str) -> tuple[str, int | None]:
    """Split `name/version`, or an alias or a name alone, which have no version.

    Raises:
        InvalidReferenceError: neither of them, so nothing that could be looked up safely.
    """
    name, slash, version = reference.partition("/")
    if not is_name(name) or (slash and not is_version(version)):
        raise InvalidReferenceError(f"{_shown(reference)} is no reference: expected an alias, name or name/version.")
    return name, int(version) if slash else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
