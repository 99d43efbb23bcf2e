"""What decides a split and a training run, as values. Imports no framework."""

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["ARCHITECTURES", "PROTOCOLS", "Architecture", "Protocol", "TrainConfig"]

Architecture = Literal["cnn", "crnn"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

Protocol = Literal["leak-free", "published"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

_BATCH_SIZES: dict[Architecture, int] = {"cnn": 64, "crnn": 32}


@dataclass(frozen=True)
class TrainConfig:
    """One run's settings; the defaults are the published method's."""

    architecture: Architecture
    seed: int = 0
    epochs: int = 20
    patience_epochs: int = 5
    """Epochs without a lower validation loss before training stops."""
    learning_rate: float = 0.001

    @property
    def batch_size(self) -> int:
        """Lead images a step."""
        return _BATCH_SIZES[self.architecture]
