"""How a bundle's networks learned, epoch by epoch: its history.json."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = ["Epoch", "History", "read_history"]

Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Epoch(BaseModel):
    """What a network reached in one epoch: on what it was trained on, and on what was held out."""

    model_config = ConfigDict(frozen=True)

    loss: Annotated[Loss, Field(description="Mean cross-entropy, in nats, of what it was trained on.")]
    accuracy: Annotated[Share, Field(description="Share of what it was trained on that it got right.")]
    val_loss: Annotated[Loss | None, Field(description="So of what was held out; null where nothing was.")] = None
    val_accuracy: Annotated[Share | None, Field(description="So of what was held out; null where nothing was.")] = None


Epochs = Annotated[tuple[Epoch, ...], Field(min_length=1)]


class History(BaseModel):
    """The epochs of one network, or of each of several."""

    model_config = ConfigDict(frozen=True)

    about: Annotated[
        str | None, Field(description="Which networks these are, and what is counted; null: the bundle does not say.")
    ] = None
    networks: Annotated[
        tuple[Epochs, ...], Field(min_length=1, description="For each network its epochs, the first first.")
    ]


_FILE = TypeAdapter[History | Epochs](History | Epochs)


def read_history(content: bytes) -> History | None:
    """Read a history.json: a `History`, or a single network's epochs; None for any other form.

    No answer depends on it, so another form is no fault.
    """
    try:
        found = _FILE.validate_json(content)
    except ValidationError:
        return None
    return found if isinstance(found, History) else History(networks=(found,))
