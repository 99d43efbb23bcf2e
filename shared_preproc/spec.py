"""Every number the weights depend on, in one frozen value with a fingerprint."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from shared_preproc.layout import EDAN_3X4_R1, LARGEST_PX, Box, Layout, check_range

__all__ = ["MASKS_150", "TRACES_50_HZ", "MaskTensor", "PreprocSpec", "TraceSpec", "TraceTensor"]


@dataclass(frozen=True)
class TraceSpec:
    """The numbers of a trace beside its layout. Pixels are the page's, counted at pixel centres.

    The defaults hold for `EDAN_3X4_R1`: the same in all 409 development pages, whose frame is pixel-aligned.
    """

    rate_hz: float = 100.0
    """Samples a second."""
    zero_rows_px: tuple[float, ...] = (463.0, 763.0, 1065.75, 1366.0)
    """The printed zero line of each row of leads: where the calibration pulse stands."""
    start_px: float = 152.0
    """Column of the first sample, in every row."""
    column_s: float = 2.5
    """Time shown by one column of leads; the rhythm strip shows several."""
    stroke_px: int = 3
    """The pen's width in a mask."""
    flank_px: int = 4
    """How far to both sides of a peak or trough its flanks are looked at."""
    name_rows_px: tuple[int, int] = (-28, -5)
    """Rows between which lead names are printed, from the zero line; down is positive."""
    name_width_px: int = 32
    """Columns from a box's left edge that a name may take."""
    augmented_name_width_px: int = 52
    """The same for aVR, aVL and aVF."""

    def __post_init__(self) -> None:
        """Reject numbers that read no page.

        Raises:
            ValueError: a number is out of range.
        """
        check_range("rate_hz", self.rate_hz, 1, 10_000)
        check_range("column_s", self.column_s, 0.1, 60)
        check_range("stroke_px", self.stroke_px, 1, 100)
        check_range("flank_px", self.flank_px, 0, 1000)
        for row_px in (*self.zero_rows_px, self.start_px, self.name_width_px, self.augmented_name_width_px):
            check_range("a row, column or width", row_px, 0, LARGEST_PX)
        for row_px in self.name_rows_px:
            check_range("name_rows_px", row_px, -LARGEST_PX, LARGEST_PX)

    def zero_row_px(self, box: Box) -> float:
        """Find the printed zero line of the lead in ``box``: a row of the page.

        Raises:
            ValueError: the box has none.
        """
        for row_px in self.zero_rows_px:
            if box.top <= row_px < box.bottom:
                return row_px
        raise ValueError(f"the box of rows {box.top} to {box.bottom} has no zero line")

    def samples(self, box: Box, layout: Layout) -> int:
        """Return the samples of a lead; a box may be as wide as several columns of leads."""
        columns = round(box.width_px / (self.column_s * layout.mm_per_s * layout.px_per_mm))
        return round(columns * self.column_s * self.rate_hz)


@dataclass(frozen=True)
class MaskTensor:
    """Each lead's mask, shrunk by nearest neighbour: uint8 (leads, height_px, width_px), 0 or 255, in page order."""

    height_px: int
    width_px: int
    kind: Literal["masks"] = "masks"

    def __post_init__(self) -> None:
        """Reject a size that no graph takes.

        Raises:
            ValueError: a number is out of range.
        """
        check_range("height_px", self.height_px, 1, LARGEST_PX)
        check_range("width_px", self.width_px, 1, LARGEST_PX)


@dataclass(frozen=True)
class TraceTensor:
    """Each lead's curve and the edges of its stroke: float32 (samples, 3), millivolt from the printed zero line.

    The leads' samples stand one after the other in page order; the last axis is signal, top, bottom.
    """

    trace: TraceSpec
    kind: Literal["traces"] = "traces"


@dataclass(frozen=True)
class PreprocSpec:
    """How a page becomes model input. Stored with the weights, and read back from there to serve them."""

    layout: Layout
    revision: int
    """Raised when the code changes what it computes although no number below did."""
    gaussian_sigma_px: float
    gaussian_radius_px: int
    """Half width of the smoothing kernel; 4 sigma, where scikit-image cuts it off."""
    tensor: MaskTensor | TraceTensor
    """What the graph takes, one page of it."""

    def __post_init__(self) -> None:
        """Reject numbers that read no page.

        Raises:
            ValueError: a number is out of range.
        """
        check_range("gaussian_sigma_px", self.gaussian_sigma_px, 0.01, 100)
        check_range("gaussian_radius_px", self.gaussian_radius_px, 0, 1000)

    @property
    def trace(self) -> TraceSpec:
        """How curves are read off the page, also where the graph takes masks."""
        return self.tensor.trace if isinstance(self.tensor, TraceTensor) else _TRACE_50_HZ

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one page's tensor."""
        if isinstance(self.tensor, MaskTensor):
            return len(self.layout.leads), self.tensor.height_px, self.tensor.width_px
        return sum(self.tensor.trace.samples(box, self.layout) for _, box in self.layout.lead_boxes), 3

    @property
    def tensor_dtype(self) -> Literal["uint8", "float32"]:
        """Type of its elements."""
        return "uint8" if isinstance(self.tensor, MaskTensor) else "float32"

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON form: differs as soon as any number does."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


_TRACE_50_HZ = TraceSpec(rate_hz=50.0)

MASKS_150 = PreprocSpec(
    layout=EDAN_3X4_R1,
    revision=1,
    gaussian_sigma_px=1.0,
    gaussian_radius_px=4,
    tensor=MaskTensor(height_px=150, width_px=150),
)
"""The published method: sigma 1, global Otsu, 150 x 150 binary lead images."""

TRACES_50_HZ = replace(MASKS_150, tensor=TraceTensor(_TRACE_50_HZ))
"""The fusion models' input: what more resolution adds, they overfit to."""
