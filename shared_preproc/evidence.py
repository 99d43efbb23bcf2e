"""Is this a report page of the layout, and can each lead be read? From what a person can check on the page.

The form printed around the signals, the drawn strokes, and what leads
must satisfy together are each measured and held against a limit. What each is: docs/evidence/refusal.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from shared_preproc.columns import Columns, ink_columns
from shared_preproc.errors import NotAnEcgPageError, UnreadableLeadsError
from shared_preproc.form import Form, FormSpec, measure_form
from shared_preproc.layout import Layout
from shared_preproc.leads import LEADS, Lead
from shared_preproc.page import Page
from shared_preproc.pipeline import PageReading
from shared_preproc.placement import EXPORT, Placement
from shared_preproc.relations import beat_coincidence, lead_relations
from shared_preproc.spec import PreprocSpec

__all__ = ["DOUBT_CODES", "Doubt", "EvidenceSpec", "examine", "missing_parts"]

DOUBT_CODES = frozenset(
    {
        "beats_apart",
        "copied_beats",
        "form_unclear",
        "frame_incomplete",
        "lead_name_missing",
        "leads_disagree",
        "pulse_missing",
        "page_cut",
        "registration_doubtful",
        "separator_missing",
        "several_pages",
    }
)
"""Every `Doubt.code` there is."""


@dataclass(frozen=True)
class EvidenceSpec:
    """How much of each evidence is asked for. In brackets: the worst of 409 development pages.

    docs/evidence/refusal.md has the worst of either half of them. None of these numbers changes what a model is given.
    """

    form: FormSpec = field(default_factory=FormSpec)
    frame_share: float = 0.9
    """Of the frame's line [0.988]."""
    pulse_share: float = 0.9
    """Of each calibration pulse [0.977]."""
    separator_share: float = 0.5
    """Of each separator [0.714, as beats run along it]."""
    name_share: float = 0.97
    """Of a lead name's own strokes [1.0]."""
    blurred_share: float = 0.6
    """Of a pulse, or of a name's strokes, on a page that was resampled."""
    residual_mm: float = 0.08
    """Of the grid from its place after registration."""
    part_share: float = 0.5
    """Below this share of what is printed, a part of the form is missing and not only damaged."""
    parts: int = 3
    """Of frame, pulses, separators and names, how many have to be there."""
    coverage: float = 0.8
    """Share of a box's columns with a piece of its curve, and with something as dark as ink [0.930 and 0.951]."""
    ink_share: tuple[float, float] = (0.008, 0.15)
    """Share of ink in a lead's mask [0.015 to 0.085]."""
    stroke_px: int = 20
    """Height of ink in the lowest quarter of a mask's columns; the pen is 3 px wide [13, of a trembling baseline]."""
    relative_residual: float = 0.13
    """Of each relation between leads [0.082]."""
    unrelated_residual: float = 0.2
    """By so much leads of different hearts miss a relation, as a rule."""
    unrelated_relations: int = 3
    """As many are missed by that much: the leads are not of one heart."""
    coincidence: float = 0.22
    """Of the beats of V1 to V6 with those of the rhythm strip [0.315]; 0 for leads of different hearts."""
    copied_leads: tuple[Lead, ...] = (Lead.II, Lead.V2, Lead.V5, Lead.RHYTHM_STRIP)
    """Where copied beats are looked for: a lead with tall beats of each page column, and the strip."""
    beat_px: int = 60
    """Width of the beat that is looked for again: 0.3 s."""
    beat_height_px: int = 30
    """A beat lower than this is not looked for: flat lines are alike."""
    copy_px: float = 0.6
    """RMS distance in height to the nearest other beat of the lead under which one is a copy [1.2]."""


_SPEC = EvidenceSpec()
_PEN_PX = 3  # rows so far apart meet every stroke
_PARTS = 4  # of the form: frame, pulses, separators, names


@dataclass(frozen=True)
class Doubt:
    """Something about a page that a person should look at before its answer is used."""

    code: str
    message: str


def examine(
    page: Page,
    reading: PageReading,
    spec: PreprocSpec,
    *,
    placement: Placement = EXPORT,
    form: Form | None = None,
) -> tuple[Doubt, ...]:
    """Hold a page against the evidence that it is a report page of ``spec.layout`` whose leads were read.

    ``reading`` is `read_page` of the same page, ``form`` its form, measured here if not given, and ``placement`` how it
    came. The doubts are in the order of the page: form, strokes, leads together.

    Raises:
        NotAnEcgPageError: the printed form is not there, or beats are copies of one another.
        UnreadableLeadsError: the form is there, but leads have no curve, or the limb leads contradict one another.
    """
    evidence, form = _SPEC, form or measure_form(page.gray, spec.layout, _SPEC.form)
    missing = missing_parts(form, evidence, placement)
    if len(missing) > _PARTS - evidence.parts:
        raise NotAnEcgPageError(found="; ".join(missing))
    columns = {lead: ink_columns(mask) for lead, mask in reading.masks.items()}
    _refuse_unreadable(_dark_shares(page, spec.layout, evidence), columns, reading, evidence)
    on_form = (
        _form_doubts(form, evidence) if placement.kind == "export" else _registration_doubts(form, evidence, placement)
    )
    return (*on_form, *_copies(columns, evidence), *_relations(reading, evidence))


def missing_parts(form: Form, evidence: EvidenceSpec = _SPEC, placement: Placement = EXPORT) -> list[str]:
    """Say in words which parts of the form are there by less than half."""
    limits = _limits(evidence, placement)
    pulses = sum(share >= limits.pulse_share for share in form.pulses)
    separators = sum(share >= limits.separator_share for share in form.separators)
    names = sum(share >= limits.name_share for share in form.names.values())
    parts = (
        (form.frame, f"the frame on {form.frame:.0%} of its line"),
        (pulses / len(form.pulses), f"{pulses} of {len(form.pulses)} calibration pulses"),
        (separators / len(form.separators), f"{separators} of {len(form.separators)} separators"),
        (names / len(form.names), f"{names} of {len(form.names)} lead names"),
    )
    return [words for share, words in parts if share < evidence.part_share]


def _limits(evidence: EvidenceSpec, placement: Placement) -> EvidenceSpec:
    """Ask less of a resampled form, whose strokes are blurred."""
    if placement.kind in {"export", "shifted"}:
        return evidence
    return replace(evidence, pulse_share=evidence.blurred_share, name_share=evidence.blurred_share)


def _registration_doubts(form: Form, evidence: EvidenceSpec, placement: Placement) -> Iterator[Doubt]:
    if placement.residual_mm is None:
        yield Doubt("registration_doubtful", "The picture shows no grid: only pulses and separators place the page.")
    elif placement.residual_mm > evidence.residual_mm:
        yield Doubt(
            "registration_doubtful",
            f"The grid is {placement.residual_mm:.2f} mm off its printed place after registration; expected at most "
            f"{evidence.residual_mm} mm.",
        )
    if placement.cut:
        yield Doubt("page_cut", f"The picture does not show all of {', '.join(placement.cut)}.")
    if placement.several:
        yield Doubt("several_pages", "The picture shows more than one report page: the clearest one was read.")
    limits = _limits(evidence, placement)
    unclear = [f"the pulse of row {row}" for row, share in enumerate(form.pulses, 1) if share < limits.pulse_share]
    unclear += [
        f"the line after column {number}"
        for number, share in enumerate(form.separators, 1)
        if share < limits.separator_share
    ]
    unclear += [f"the name of {lead}" for lead in LEADS if form.names.get(lead, 1.0) < limits.name_share]
    if unclear:
        yield Doubt("form_unclear", f"After registration, the printed form is unclear: {', '.join(unclear)}.")


def _form_doubts(form: Form, evidence: EvidenceSpec) -> Iterator[Doubt]:
    if form.frame < evidence.frame_share:
        yield Doubt("frame_incomplete", f"The frame around the leads is there on {form.frame:.0%} of its line.")
    for row, share in enumerate(form.pulses, start=1):
        if share < evidence.pulse_share:
            yield Doubt("pulse_missing", f"The calibration pulse of row {row} is not there, or not 1 mV high.")
    for number, share in enumerate(form.separators, start=1):
        if share < evidence.separator_share:
            yield Doubt("separator_missing", f"The line after column {number} of the leads is not there.")
    misnamed = [lead for lead in LEADS if form.names.get(lead, 1.0) < evidence.name_share]
    if misnamed:
        yield Doubt("lead_name_missing", f"The page does not print the expected name at {', '.join(misnamed)}.")


def _dark_shares(page: Page, layout: Layout, evidence: EvidenceSpec) -> dict[Lead, float]:
    """For each lead, the share of its box's columns with something as dark as ink: grid and compression are pale."""
    rows = {(box.top, box.bottom) for _, box in layout.lead_boxes}
    dark = {(top, end): page.gray[top:end:_PEN_PX].min(axis=0) < evidence.form.ink_gray for top, end in rows}
    return {
        lead: np.count_nonzero(dark[box.top, box.bottom][box.left : box.right]) / box.width_px
        for lead, box in layout.lead_boxes
    }


def _refuse_unreadable(
    dark: Mapping[Lead, float], columns: Mapping[Lead, Columns], reading: PageReading, evidence: EvidenceSpec
) -> None:
    """Refuse where a box shows no pen's stroke from side to side; ``dark`` is that of `_dark_shares`.

    Raises:
        UnreadableLeadsError: in some boxes.
    """
    reasons = {}
    for lead in LEADS:
        coverage, height_px = min(reading.traces[lead].coverage, dark[lead]), len(reading.masks[lead])
        reasons[lead] = _unreadable(columns[lead], height_px, coverage, evidence)
    unreadable = tuple(lead for lead, reason in reasons.items() if reason)
    if unreadable:
        raise UnreadableLeadsError(unreadable, found="; ".join(f"{lead}: {reasons[lead]}" for lead in unreadable))


def _unreadable(columns: Columns, height_px: int, coverage: float, evidence: EvidenceSpec) -> str:
    """Why no curve can be read off a lead's box, ``coverage`` of whose columns show one; empty if one can."""
    heights_px = np.sort(columns.ink_px)
    share = int(heights_px.sum()) / len(heights_px) / height_px
    least, most = evidence.ink_share
    if coverage < evidence.coverage:
        return f"a curve over {coverage:.0%} of the box's width"
    if not least <= share <= most:
        return f"{share:.1%} of the box is ink"
    drawn_px = heights_px[-np.count_nonzero(heights_px) :]
    stroke_px = drawn_px[len(drawn_px) // 4]
    return f"strokes {stroke_px} px thick" if stroke_px > evidence.stroke_px else ""


def _copies(columns: Mapping[Lead, Columns], evidence: EvidenceSpec) -> Iterator[Doubt]:
    """Doubt one lead whose beats are copies.

    Raises:
        NotAnEcgPageError: several leads' are; no heart repeats itself to the pixel.
    """
    copied = [lead for lead in evidence.copied_leads if _has_copies(columns[lead], evidence)]
    if len(copied) > 1:
        raise NotAnEcgPageError(found=f"beats that are copies of one another, pixel by pixel, in {', '.join(copied)}")
    for lead in copied:
        yield Doubt("copied_beats", f"Beats of {lead} are copies of one another, pixel by pixel.")


def _has_copies(columns: Columns, evidence: EvidenceSpec) -> bool:
    """Whether the steepest stretch of a mask stands in it a second time: compared by upper edge and ink height."""
    steepness = np.abs(np.diff(columns.upper_px)) + np.abs(np.diff(columns.ink_px))
    climbed = np.append(0, steepness).cumsum()
    start = int((climbed[evidence.beat_px - 1 :] - climbed[: 1 - evidence.beat_px]).argmax())
    if np.ptp(columns.upper_px[start : start + evidence.beat_px]) < evidence.beat_height_px:
        return False
    return columns.nearest_px(start, evidence.beat_px, apart=evidence.beat_px // 2) < evidence.copy_px


def _relations(reading: PageReading, evidence: EvidenceSpec) -> Iterator[Doubt]:
    """Doubt relations that do not hold.

    Raises:
        UnreadableLeadsError: hardly one of them holds.
    """
    relations = lead_relations(reading.traces)
    unrelated = [relation for relation in relations if relation.relative >= evidence.unrelated_residual]
    if len(unrelated) >= evidence.unrelated_relations:
        leads = {lead for relation in unrelated for lead in relation.leads}
        raise UnreadableLeadsError(
            tuple(lead for lead in LEADS if lead in leads),
            found="leads of different hearts: "
            + ", ".join(f"{one.equation} missed by {one.residual_mv:.2f} mV" for one in unrelated),
        )
    for relation in relations:
        if relation.relative >= evidence.relative_residual:
            yield Doubt(
                "leads_disagree", f"{relation.equation} does not hold: missed by {relation.residual_mv:.2f} mV."
            )
    coincidence = beat_coincidence(reading.traces)
    if coincidence < evidence.coincidence:
        yield Doubt("beats_apart", "The beats of V1 to V6 do not fall on those of the rhythm strip.")
