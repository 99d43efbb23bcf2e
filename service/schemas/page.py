"""What is said about a page before any model: its source, picture and placement, its quality and measurements."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from service.examination import PageFormat
from shared_preproc.leads import Lead
from shared_preproc.placement import PlacementKind
from shared_preproc.quality import RateBand
from sources.source import SourceKind

__all__ = [
    "FromOurs",
    "Image",
    "Milliseconds",
    "PageMeasurements",
    "PageQuality",
    "Placement",
    "Positive",
    "Share",
    "SourceOfPage",
]


def _rounded(digits: int) -> AfterValidator:
    """Round to the precision that a number has."""
    to_digits: Callable[[float], float] = partial(round, ndigits=digits)
    return AfterValidator(to_digits)


# NaN would be sent as null, so it is an error here.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _rounded(4)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0), _rounded(2)]
_Whole = Annotated[int, BeforeValidator(round)]


class FromOurs(BaseModel):
    """Filled from the attributes of what the service computes."""

    model_config = ConfigDict(from_attributes=True)


class Image(FromOurs):
    """The page's picture."""

    sha256: Annotated[str, Field(description="Of the picture's own bytes; of the file where it was rendered.")]
    format: Annotated[PageFormat, Field(description="`pixels`: it was not stored as an encoded picture.")]
    width_px: int
    height_px: int


class SourceOfPage(FromOurs):
    """What was sent."""

    kind: Annotated[SourceKind, Field(description="By content, and for a PDF by what was taken from it.")]
    how: Annotated[str, Field(description="How it was read, in one sentence.")]
    sha256: Annotated[str, Field(description="Of the bytes of the file as received.")]


class Placement(FromOurs):
    """How the page was brought to the printed form."""

    kind: Annotated[PlacementKind, Field(description="The simplest map from the picture to the page that fits.")]
    scale: Annotated[Positive, _rounded(4), Field(description="Picture pixels for each pixel of an export.")]
    turned_deg: Annotated[int, Field(description="Clockwise: 0, 90, 180 or 270.")]
    tilt_deg: Annotated[float, _rounded(2), Field(description="Clockwise beside that.")]
    residual_mm: Annotated[
        Annotated[float, Field(ge=0), _rounded(3)] | None,
        Field(description="RMS distance of the printed grid from its place; null: the picture shows no grid."),
    ]


class PageQuality(BaseModel):
    """What was measured on the page, whatever the model says."""

    heart_rate_bpm: Annotated[
        Annotated[Positive, _rounded(1)] | None,
        Field(description="From the rhythm strip; null: fewer than three beats found."),
    ]
    rate: Annotated[
        RateBand | None,
        Field(description="`slow`: below 60 a minute; `fast`: above 100, tachycardia; null: no heart rate."),
    ]
    regular: Annotated[
        bool | None, Field(description="Whether the intervals between beats are even; null: fewer than four beats.")
    ]
    einthoven_residual_mv: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="RMS of II - I - III, 0 but for noise."), _rounded(3)
    ]
    coverage: Annotated[dict[Lead, Share], Field(description="Share of each lead's width with a trace.")]


class WaveTimesMs(FromOurs):
    """Where the waves of the median beat begin and end: milliseconds from the R peak, negative before it."""

    p_onset: _Whole | None
    qrs_onset: _Whole | None
    qrs_end: _Whole | None
    t_end: Annotated[_Whole | None, Field(description="By the tangent at the steepest place of the falling T wave.")]


class MeasuredBeat(FromOurs):
    """One QRS complex."""

    r_s: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="Seconds from the first instant shown."), _rounded(3)
    ]
    measured: Annotated[bool, Field(description="Is part of the median beat; false: of another shape, or cut off.")]


class PageMeasurements(BaseModel):
    """Rate, intervals, axis and ST levels, measured on the median beat without the model; unsure ones are null."""

    heart_rate_bpm: Annotated[
        Annotated[Positive, _rounded(1)] | None, Field(description="From all leads; null: fewer than three beats.")
    ]
    regular: Annotated[bool | None, Field(description="Whether intervals between beats vary by 8 % at most.")]
    pr_ms: Annotated[_Whole | None, Field(description="Null: no P wave stands before most beats, as in fibrillation.")]
    qrs_ms: _Whole | None
    qt_ms: _Whole | None
    qtc_fridericia_ms: Annotated[_Whole | None, Field(description="Null also where beats are irregular.")]
    qtc_bazett_ms: Annotated[_Whole | None, Field(description="Null also where beats are irregular.")]
    axis_deg: Annotated[_Whole | None, Field(description="Of the QRS, frontal: 0 is lead I, 90 is aVF.")]
    st_mv: Annotated[
        dict[Lead, Annotated[float, Field(allow_inf_nan=False), _rounded(2)] | None],
        Field(description="By lead, 60 ms after the end of the QRS, against the level before it."),
    ]
    waves_ms: WaveTimesMs
    beats: list[MeasuredBeat]
