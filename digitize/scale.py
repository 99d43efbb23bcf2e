"""Speed and gain of a page: what is printed, what the pulses say, and whether that is proof."""

from dataclasses import dataclass

import numpy as np

from digitize.digitized import Source
from digitize.errors import WHOLE_PAGE, UndigitizedPageError
from digitize.flat import PX_PER_MM
from digitize.names import Token
from digitize.pulses import Pulse

__all__ = ["StatedScale", "printed_value", "prove_gain", "prove_speed"]

_PROVEN = 0.75  # score from which a speed or gain counts as read
_SURE = 0.6  # and near such a one
_DOUBTFUL = 0.5  # from which another reading speaks against it
_LINE_MM = 2.5  # down, between texts of one line
_BLOCK_MM = 10.0  # down, between texts that belong together
_WIDTHS_ALIKE = 0.1
_WIDTH_AGREES = 0.15  # a pulse may lose a stroke's width to the picture's edge
_PULSE_AGREES = 0.06


def printed_value(tokens: list[Token], unit: str, header_end: float = 0.0) -> tuple[float | None, bool]:
    """The number that stands before a unit, ``None`` where none was read; whether it proves the scale alone.

    The number proves the scale alone where speed and gain stand beside each other, both are read surely, and nothing
    near them reads otherwise. Above row ``header_end`` a number counts only beside the other one, because words of the
    header look like it.

    Raises:
        UndigitizedPageError: two were read that differ, or the end of another number.
    """
    read = [token for token in tokens if token.text.endswith(unit)]
    read = [token for token in read if token.y > header_end or _beside(token, tokens)]
    kind = "speed" if unit == "mm/s" else "gain"
    tails = [token for token in read if not token.whole and token.score >= _SURE]
    if tails:
        raise UndigitizedPageError(
            kind,
            found=f"a number before {unit} that ends in {tails[0].text}",
            expected="25 or 50 mm/s" if kind == "speed" else "5, 10 or 20 mm/mV for all leads",
            remedy=f"Print the page again with one such {kind}.",
        )
    proven = [token for token in read if token.score >= _PROVEN]
    beside_them = [
        token
        for token in read
        if token.score >= _SURE and any(abs(token.y - other.y) < _BLOCK_MM * PX_PER_MM for other in proven)
    ]
    sure = {token.text for token in beside_them}
    if len(sure) > 1:
        raise UndigitizedPageError(
            kind,
            found=f"{' and '.join(sorted(sure))} on one page",
            expected=f"one {kind} for all leads",
            remedy="Print the page again with one speed and one gain.",
        )
    if not sure:
        return None, False
    text = sure.pop()
    best = max((token for token in read if token.text == text), key=lambda token: token.score)
    near = [token for token in read if abs(token.y - best.y) < _BLOCK_MM * PX_PER_MM]
    alone = (
        best.score >= _PROVEN
        and _beside(best, tokens)
        and all(token.text == text for token in near if token.score >= _DOUBTFUL)
    )
    return float(text.removesuffix(unit)), alone


def _beside(one: Token, tokens: list[Token]) -> bool:
    """Whether the other unit was read surely in the same line."""
    return any(
        token.text.split("mm")[1] != one.text.split("mm")[1]
        and token.score >= _PROVEN
        and abs(token.y - one.y) < _LINE_MM * PX_PER_MM
        for token in tokens
        if "mm/" in token.text
    )


@dataclass(frozen=True)
class StatedScale:
    """What the sender of a page says of it, where it does not prove its scale itself; ``None``: nothing."""

    speed_mm_s: float | None = None
    gain_mm_mv: float | None = None


def prove_speed(
    printed: float | None, pulses: list[Pulse], *, proven: bool, stated: float | None = None
) -> tuple[float, Source]:
    """Paper speed in mm/s and what proves it.

    Raises:
        UndigitizedPageError: nothing proves it, or print, pulse and the sender contradict; or pulses that should be as
            wide as one another are not, as where a grid was followed wrongly.
    """
    widths = [pulse.width_mm for pulse in pulses]
    width = float(np.median(widths)) if widths else np.nan
    if sum(abs(each / width - 1) > _WIDTHS_ALIKE for each in widths) > len(widths) / 3:
        raise UndigitizedPageError(
            "grid",
            found=f"calibration pulses of {min(widths):.1f} to {max(widths):.1f} mm",
            expected="pulses as wide as one another",
            remedy=WHOLE_PAGE,
        )
    by_pulse = next((speed for speed in (25.0, 50.0) if abs(width / (0.2 * speed) - 1) < _WIDTH_AGREES), None)
    known = _known(printed if proven and not pulses else None, printed, by_pulse, stated)
    if known is None:
        what = "no printed speed" if printed is None else f"{printed:g} mm/s, not surely read,"
        raise UndigitizedPageError(
            "speed",
            found=f"{what} and no calibration pulse of 0.2 s that agrees{_said(stated, 'mm/s')}",
            expected="25 mm/s or 50 mm/s, printed or proven by a calibration pulse",
            remedy="Send the whole page with its footer, where the paper's speed is printed. If you know it, send the "
            "page to /digitize with speed_mm_s=25 or 50.",
        )
    return known


def prove_gain(
    printed: float | None, pulses: list[Pulse], *, proven: bool, stated: float | None = None
) -> tuple[float, Source, float | None]:
    """Gain in mm/mV, what proves it, and the pulses' height in mm, ``None`` without pulses.

    Raises:
        UndigitizedPageError: nothing proves it, or print, pulse and the sender contradict.
    """
    height = float(np.median([pulse.height_mm for pulse in pulses])) if pulses else None
    by_pulse = None
    if height is not None:
        by_pulse = next((gain for gain in (5.0, 10.0, 20.0) if abs(height / gain - 1) < _PULSE_AGREES), None)
    known = _known(printed if proven and height is None else None, printed, by_pulse, stated)
    # A pulse of another height is evidence against whatever is stated.
    if known is None or (known[1] == "stated" and height is not None and by_pulse is None):
        what = "no printed gain" if printed is None else f"{printed:g} mm/mV printed"
        pulse = "no calibration pulse" if height is None else f"a calibration pulse of {height:.1f} mm"
        raise UndigitizedPageError(
            "gain",
            found=f"{what} and {pulse}{_said(stated, 'mm/mV')}",
            expected="a printed gain, a calibration pulse of 1 mV of 5, 10 or 20 mm, or both that agree",
            remedy="Send the whole page with its calibration pulses, and its footer, where the gain is printed. If you "
            "know it, send the page to /digitize with gain_mm_mv=5, 10 or 20.",
        )
    return *known, height


def _known(
    surely: float | None, printed: float | None, by_pulse: float | None, stated: float | None
) -> tuple[float, Source] | None:
    """What print, pulse and the sender give together, and which of them proves it; ``None`` where they do not."""
    known: tuple[float, Source] | None = None
    if printed is not None and printed == by_pulse:
        known = printed, "printed and pulse"
    elif surely is not None:
        known = surely, "printed"
    elif printed is None and by_pulse is not None:
        known = by_pulse, "pulse"
    elif stated is not None and by_pulse is None and printed in {None, stated}:
        known = stated, "stated"
    return known if known is None or stated in {None, known[0]} else None


def _said(stated: float | None, unit: str) -> str:
    return "" if stated is None else f", with {stated:g} {unit} stated"
