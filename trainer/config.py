"""What decides a split and a training run, as values."""

from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from trainer.augment import Augmentation
from trainer.views import ViewSettings

__all__ = [
    "ARCHITECTURES",
    "CLASS_NETWORK",
    "FUSION",
    "PROTOCOLS",
    "Architecture",
    "ClassNetworkConfig",
    "FindingsConfig",
    "Protocol",
    "Schedule",
    "TrainConfig",
]

Architecture = Literal["cnn", "crnn"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

FUSION = "fusion"
"""Class network and findings network in one graph; trained in another way than networks on single lead images."""

CLASS_NETWORK = "class-network"
"""The part of it that learns the data set's classes."""

Protocol = Literal["leak-free", "published"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True)
class Schedule:
    """How the weights of a network over curves are moved (AdamW; Loshchilov and Hutter 2019)."""

    learning_rate: float = 2e-3
    warm_up_share: float = 1 / 30
    """Share of all steps over which the learning rate rises; it then falls by half a cosine."""
    weight_decay: float = 1e-2
    largest_gradient: float = 1.0
    """Global norm to which gradients are clipped."""


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
class ClassNetworkConfig:
    """How the class network is trained; chosen as docs/evidence/experiments.md says."""

    epochs: int = 60
    batch_size: int = 32
    schedule: Schedule = field(default_factory=Schedule)
    label_smoothing: float = 0.05
    lead_loss_weight: float = 0.3
    """Of what the leads say by themselves, beside what the page says."""
    balance: float = 0.5
    """Pages are drawn by their class's frequency to the power of minus this."""

    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def quick(cls) -> Self:
        """A third of the epochs: enough to see that every step works, too few for figures."""
        return cls(epochs=20)


@dataclass(frozen=True)
class FindingsConfig:
    """How the findings network is trained; chosen as docs/evidence/experiments.md says."""

    epochs: float = 92.0
    """Views of each recording."""
    batch_size: int = 32
    schedule: Schedule = field(default_factory=lambda: Schedule(weight_decay=5e-2))
    finding_loss_weight: float = 3.0
    class_loss_weight: float = 0.5
    rhythm_weight: float = 2.0
    """Of atrial fibrillation among the findings: regularity is learned late."""
    views: ViewSettings = field(default_factory=ViewSettings)

    @classmethod
    def quick(cls) -> Self:
        """A twelfth of the views: enough to see that every step works."""
        return cls(epochs=8.0)

    def steps(self, recordings: int) -> int:
        """Batches for so many recordings."""
        return max(1, round(self.epochs * recordings / self.batch_size))
