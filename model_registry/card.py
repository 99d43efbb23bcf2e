"""What a bundle tells its readers about itself, from its files' content. Reads no folder."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from model_registry.errors import MalformedFileError
from model_registry.figures import Figures, read_figures
from model_registry.history import History, read_history
from model_registry.manifest import CARD_FILE, HISTORY_FILE, METRICS_FILE, BundleManifest

__all__ = ["CARD_FILES", "Card", "parse_card"]

_CARD_TEXT_FILE = "card.md"
CARD_FILES = frozenset({CARD_FILE, _CARD_TEXT_FILE, METRICS_FILE, HISTORY_FILE})
"""Everything that a card is made from."""

_CARD_CONTENT = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Card:
    """What a bundle tells its readers about itself, verified."""

    manifest: BundleManifest
    content: dict[str, JsonValue] | None
    """The model card for programs; None where the bundle has none. So the rest."""
    text: str | None
    """The model card for people, in Markdown."""
    figures: Figures | None
    """What its answers were worth on pages it had not seen; None also where they have a form of their own."""
    history: History | None
    """How its networks learned; None as above."""


def parse_card(contents: Mapping[str, bytes], manifest: BundleManifest) -> Card:
    """Parse those of a bundle's verified files that are `CARD_FILES`; others are not looked at.

    Raises:
        MalformedFileError: the card is no JSON object, or its text no UTF-8.
    """
    content, text, history = (contents.get(name) for name in (CARD_FILE, _CARD_TEXT_FILE, HISTORY_FILE))
    try:
        return Card(
            manifest,
            None if content is None else _CARD_CONTENT.validate_json(content),
            None if text is None else text.decode(),
            read_figures(content, contents.get(METRICS_FILE)),
            None if history is None else read_history(history),
        )
    except ValueError as error:  # pydantic's and the decoder's are of this kind
        raise MalformedFileError(
            manifest.ref, f"{CARD_FILE} is no JSON object, or {_CARD_TEXT_FILE} no UTF-8 text"
        ) from error
