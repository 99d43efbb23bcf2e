"""What a bundle's answers were worth on held-out pages, in one form. Computes no figure."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

__all__ = ["ClassFigures", "Coverage", "Figures", "ReliabilityBin", "read_figures"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Interval = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]
Shares = tuple[Share, ...]

_TEST_SPLIT = "Pages of the test split."
_HOW_SPLIT = {
    "leak-free": (
        "Pages of the test split, which neither trained the network nor chose its epoch.",
        "No copies; no record on two sides.",
    ),
    "published": (
        _TEST_SPLIT,
        "Files were split at random: many of these pages are byte-for-byte copies of pages that it was trained on.",
        "The figures say nothing about new patients.",
    ),
}
"""What a test split of each protocol means: docs/training.md and docs/evidence/experiments.md."""
_NOT_SAID = (_TEST_SPLIT, "The bundle does not say how it was split: copies of training pages may be among these.")
_PER_PAGE = "These figures count pages; the curves of its training count lead images, 13 of a page."


class _FromFile(BaseModel):
    """Files may say more; intervals are of 95 %, and what was not measured is null."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ClassFigures(_FromFile):
    """How well one class was told."""

    rows: Annotated[int, Field(description="Its pages.")]
    recall: Share | None = None
    recall_ci95: Interval | None = None
    precision: Share | None = None
    precision_ci95: Interval | None = None
    f1: Share | None = None
    f1_ci95: Interval | None = None
    auroc: Share | None = None
    auroc_ci95: Interval | None = None


class ReliabilityBin(_FromFile):
    """Pages whose most probable class was about as probable."""

    pages: int
    probability: Annotated[Share, Field(description="Mean probability of the most probable class.")]
    accuracy: Annotated[Share, Field(description="How often it was right.")]
    accuracy_ci95: Interval | None = None


class Coverage(_FromFile):
    """The surest pages first: three columns of one table."""

    threshold: Annotated[Shares, Field(description="Pages whose most probable class is at least as probable …")]
    coverage: Annotated[Shares, Field(description="… are this share of all …")]
    accuracy: Annotated[Shares, Field(description="… and this share of them is right.")]


class Figures(_FromFile):
    """The figures of one evaluation, a page a row."""

    about: Annotated[tuple[str, ...], Field(description="How they came about, a sentence each.")] = ()
    rows: Annotated[int, Field(description="Pages that were judged.")]
    groups: Annotated[int | None, Field(description="Records that they are of.")] = None
    accuracy: Share
    accuracy_ci95: Interval | None = None
    balanced_accuracy: Share | None = None
    balanced_accuracy_ci95: Interval | None = None
    f1_macro: Share | None = None
    f1_macro_ci95: Interval | None = None
    auroc_macro: Share | None = None
    auroc_macro_ci95: Interval | None = None
    brier: Loss | None = None
    brier_ci95: Interval | None = None
    log_loss: Loss | None = None
    log_loss_ci95: Interval | None = None
    ece: Annotated[Share | None, Field(description="Expected calibration error.")] = None
    ece_ci95: Interval | None = None
    ece_if_calibrated: Annotated[
        Share | None, Field(description="What as many pages show by chance if every probability is true.")
    ] = None
    confusion_matrix: Annotated[
        tuple[tuple[int, ...], ...],
        Field(description="Pages: a row a true class, a column an answered one, both in the order of `class_names`."),
    ]
    classes: Annotated[dict[str, ClassFigures], Field(description="By class name.")]
    reliability: Annotated[tuple[ReliabilityBin, ...] | None, Field(description="In rising probability.")] = None
    coverage: Coverage | None = None


class _Row(_FromFile):
    figures: Figures


class _Card(_FromFile):
    """As the trainer's `build_card` writes it: the first row is the model's own, the others are there to compare."""

    protocol: tuple[str, ...] = ()
    figures: Annotated[tuple[JsonValue, ...], Field(min_length=1)]


class _Split(_FromFile):
    page: Figures


class _Splits(_FromFile):
    test: _Split


class _Headline(_FromFile):
    protocol: str | None = None


class _Metrics(_FromFile):
    """As the trainer's `score` writes it, for networks that look at lead images."""

    headline: _Headline = _Headline()
    figures: _Splits


def read_figures(card: bytes | None, metrics: bytes | None) -> Figures | None:
    """Find the figures in a bundle's card.json or else its metrics.json; None where neither holds them in a known form.

    Both are free to hold anything else, so what has another form is no fault.
    """
    try:
        if card is not None:
            known = _Card.model_validate_json(card)
            return _Row.model_validate(known.figures[0]).figures.model_copy(update={"about": known.protocol})
        if metrics is not None:
            scored = _Metrics.model_validate_json(metrics)
            how = _HOW_SPLIT.get(scored.headline.protocol or "", _NOT_SAID)
            return scored.figures.test.page.model_copy(update={"about": (*how, _PER_PAGE)})
    except ValidationError:
        pass
    return None
