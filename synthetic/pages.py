"""Draw the report page of a made-up heart, as pixels and as a JPEG."""

import io
import zlib
from datetime import datetime, timedelta

import numpy as np
from PIL import Image

from shared_preproc.leads import Lead
from synthetic.heartbeat import SAMPLING_RATE_HZ, record_heart
from synthetic.render import Header, Signals, render_page
from synthetic.stationery import Rgb

__all__ = ["encode_jpeg", "synth_jpeg", "synth_page", "synth_signals"]

_RHYTHM_II_SHARE = 0.7  # of 409 real pages; the others print III
_EPOCH = datetime(2001, 1, 1, 8)  # noqa: DTZ001 - a printed clock has no zone
_RESOLUTION_DPI = 200

_COARSE_SHARE = 0.11  # of 409 real pages

_CHROMA_4_2_0 = 2
# Quantization of the real pages, luma then chroma, row by row: of one batch, of the other. The coarse one washes
# the grid's light dots into a rose tint.
# fmt: off
_FINE = (
    (
        12,  8, 27, 34, 32, 36, 41, 46,
         8, 10, 17, 27, 43, 37, 42, 47,
        27, 23, 28, 40, 47, 43, 52, 59,
        36, 36, 40, 49, 43, 53, 59, 59,
        42, 32, 37, 57, 53, 59, 59, 59,
        36, 37, 43, 53, 59, 59, 59, 59,
        41, 42, 52, 59, 59, 59, 59, 59,
        46, 47, 59, 59, 59, 59, 59, 59,
    ),
    (
        13, 11, 16, 27, 50, 59, 59, 59,
        11, 14, 20, 40, 52, 59, 59, 59,
        16, 27, 33, 50, 59, 59, 64, 64,
        36, 40, 50, 59, 59, 64, 64, 64,
        50, 50, 59, 59, 64, 64, 64, 64,
        59, 59, 59, 64, 64, 64, 64, 64,
        59, 59, 64, 64, 64, 64, 64, 64,
        59, 59, 64, 64, 64, 64, 64, 64,
    ),
)
_COARSE = (
    (
        27, 26, 65, 83, 83, 83, 83, 83,
        26, 31, 54, 83, 110, 83, 83, 83,
        86, 72, 71, 83, 83, 83, 83, 83,
        110, 83, 83, 95, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
    ),
    (
        29, 34, 38, 83, 83, 83, 83, 83,
        34, 32, 65, 83, 83, 83, 83, 83,
        38, 65, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
        83, 83, 83, 83, 83, 83, 83, 83,
    ),
)
# fmt: on


def synth_signals(class_name: str, seed: int) -> Signals:
    """Record a made-up heart of a class: 10 s, twelve leads, 0.67 to 25 Hz.

    Raises:
        KeyError: no such class.
    """
    signals_mv, _ = record_heart(class_name, _rng(class_name, seed))
    return Signals(signals_mv, SAMPLING_RATE_HZ)


def synth_page(class_name: str, seed: int) -> Rgb:
    """Print `synth_signals` of the same class and seed: uint8 (1572, 2213, 3), sRGB, before compression."""
    rng = _rng(class_name, seed)
    signals_mv, rate_per_min = record_heart(class_name, rng)
    header = Header(
        patient_id=f"SYN-{seed:06d}",
        sex=str(rng.choice(["Male", "Female"])),
        heart_rate_bpm=round(rate_per_min),
        recorded_at=_EPOCH + timedelta(seconds=int(rng.integers(10**8))),
        rhythm_lead=Lead.II if rng.random() < _RHYTHM_II_SHARE else Lead.III,
    )
    return render_page(Signals(signals_mv, SAMPLING_RATE_HZ), header)


def synth_jpeg(class_name: str, seed: int) -> bytes:
    """Compress `synth_page` of the same class and seed as one of the two batches of real pages."""
    coarse = _rng(f"{class_name} JPEG", seed).random() < _COARSE_SHARE
    return encode_jpeg(synth_page(class_name, seed), coarse=coarse)


def encode_jpeg(page: Rgb, *, coarse: bool = False) -> bytes:
    """Compress a page as the real ones are: baseline JPEG, 4:2:0, 200 dpi; ``coarse`` as the smaller batch is."""
    buffer = io.BytesIO()
    Image.fromarray(page).save(
        buffer,
        "JPEG",
        qtables=[list(table) for table in (_COARSE if coarse else _FINE)],
        subsampling=_CHROMA_4_2_0,
        dpi=(_RESOLUTION_DPI, _RESOLUTION_DPI),
    )
    return buffer.getvalue()


def _rng(purpose: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])
