"""What proves the speed and the gain of a page."""

import pytest

from digitize.errors import UndigitizedPageError
from digitize.flat import PX_PER_MM
from digitize.pulses import Pulse
from digitize.scale import prove_gain, prove_speed


def pulses(*widths_mm: float, height_mm: float = 10.0) -> list[Pulse]:
    """Pulses of these widths."""
    return [Pulse(0.0, width_mm * PX_PER_MM, height_mm * PX_PER_MM, 0.0) for width_mm in widths_mm]


def test_print_and_pulses_that_agree_are_proof() -> None:
    assert prove_speed(25.0, pulses(5.0, 5.1), proven=False) == (25.0, "printed and pulse")
    assert prove_gain(10.0, pulses(5.0), proven=False) == (10.0, "printed and pulse", 10.0)


@pytest.mark.parametrize("width_mm", [2.5, 7.0])
def test_stated_speed_is_used_where_pulses_are_unusual(width_mm: float) -> None:
    assert prove_speed(None, pulses(width_mm), proven=False, stated=25.0) == (25.0, "stated")


def test_pulse_of_another_height_disproves_a_stated_gain() -> None:
    with pytest.raises(UndigitizedPageError) as refused:
        prove_gain(None, pulses(5.0, height_mm=7.5), proven=False, stated=10.0)
    assert refused.value.missing == "gain"


def test_print_that_is_not_sure_disproves_another_stated_speed() -> None:
    with pytest.raises(UndigitizedPageError):
        prove_speed(50.0, [], proven=False, stated=25.0)
    assert prove_speed(25.0, [], proven=False, stated=25.0) == (25.0, "stated")


def test_pulses_of_many_widths_tell_that_the_grid_is_wrong() -> None:
    with pytest.raises(UndigitizedPageError) as refused:
        prove_speed(25.0, pulses(3.7, 5.2, 5.2, 3.7, 3.7, 5.2), proven=True)
    assert refused.value.missing == "grid"
    assert prove_speed(25.0, pulses(3.1, 5.0, 4.8), proven=True)[0] == 25.0
