"""What decides a split and a training run, as values. Imports no framework."""

from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from trainer.augment import Augmentation

__all__ = ["ARCHITECTURES", "FUSION", "PROTOCOLS", "Architecture", "FusionConfig", "Protocol", "TrainConfig"]

Architecture = Literal["cnn", "crnn"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

FUSION = "fusion"
"""The network over all leads of a page; it is trained in another way than those on single lead images."""

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


@dataclass(frozen=True)
class FusionConfig:
    """How the fusion network is trained; chosen as docs/experiments.md says."""

    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 2e-3
    warm_up_epochs: int = 2
    weight_decay: float = 1e-2
    largest_gradient: float = 1.0
    """Global norm to which gradients are clipped."""
    label_smoothing: float = 0.05
    lead_loss_weight: float = 0.3
    """Of what the leads say by themselves, beside what the page says."""
    balance: float = 0.5
    """Pages are drawn by their class's frequency to the power of minus this."""

    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def quick(cls) -> Self:
        """A third of the epochs: within a few points of the whole."""
        return cls(epochs=20)
