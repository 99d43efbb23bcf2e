"""Pages of other carts, drawn with their truth known."""

import cv2
import numpy as np

from synthetic.pages import synth_signals
from trainer.pages.renderer import draw_page
from trainer.pages.styles import STYLES, Style

PLAIN = STYLES[0]
"""Three rows of four, a strip, pulses at the right."""
_RATE_HZ, _LONG_S = 500.0, 10


def other_page(style: Style = PLAIN) -> bytes:
    """A PNG of a page in this style."""
    signals = synth_signals("normal", seed=3)
    times = np.arange(round(_LONG_S * _RATE_HZ)) / _RATE_HZ
    clock = np.arange(signals.mv.shape[1]) / signals.sampling_rate_hz
    heart_mv = np.stack([np.interp(times, clock, lead) for lead in signals.mv])
    return bytes(cv2.imencode(".png", draw_page(style, heart_mv, _RATE_HZ).gray)[1])
