"""Made-up twelve-lead recordings of four kinds of heart.

Each beat is a sum of Gaussians, one for each wave and lead, set along the recording at every R peak: the waves of
McSharry, Clifford, Tarassenko and Smith (2003), "A dynamical model for generating synthetic electrocardiogram
signals", IEEE Trans. Biomed. Eng. 50(3), and the multi-lead form of Clifford, Nemati and Sameni (2010), "An artificial
vector model for generating abnormal electrocardiographic rhythms", Physiol. Meas. 31(5). Amplitudes are drawn from
textbook ranges; no measured recording went in.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAMPLING_RATE_HZ", "record_heart", "twelve_leads"]

Floats = NDArray[np.float64]

SAMPLING_RATE_HZ = 500.0
_RECORDING_S = 10.0
_MARGIN_S = 2.0  # recorded before and after, and cut off: the band filter rings at its ends
_BAND_HZ = (0.67, 25.0)  # what the cart prints
_BAND_ROLL_OFF = 0.25  # width of each edge of the band, of its frequency

# The eight leads that are independent of each other; Einthoven and Goldberger give the other four.
_I, _II, _V1, _V2, _V3, _V4, _V5, _V6 = range(8)
_INDEPENDENT = 8


@dataclass(frozen=True, eq=False)
class _Wave:
    """One Gaussian: its peak after the R peak, its standard deviation, its height in each of eight leads."""

    after_r_s: float
    width_s: float
    heights_mv: Floats


_QRS_END_S = 0.1
_Beat = dict[str, _Wave]


def _wave(after_r_s: float, width_s: float, *heights_mv: float) -> _Wave:
    return _Wave(after_r_s, width_s, np.array(heights_mv or (0.0,) * _INDEPENDENT))


# Heights: I, II, V1, V2, V3, V4, V5, V6.
_SINUS_BEAT: _Beat = {
    "P": _wave(-0.165, 0.022, 0.07, 0.12, 0.05, 0.06, 0.06, 0.07, 0.06, 0.06),
    "Q": _wave(-0.027, 0.010, -0.06, -0.07, 0.0, 0.0, -0.02, -0.07, -0.10, -0.10),
    "R": _wave(0.0, 0.013, 0.65, 1.00, 0.22, 0.45, 0.80, 1.40, 1.40, 1.05),
    "S": _wave(0.029, 0.013, -0.15, -0.15, -0.95, -1.30, -0.90, -0.45, -0.20, -0.06),
    "ST": _wave(0.130, 0.045),
    "rise of T": _wave(0.230, 0.055, 0.07, 0.09, 0.0, 0.14, 0.15, 0.13, 0.10, 0.07),
    "T": _wave(0.285, 0.036, 0.17, 0.22, 0.02, 0.28, 0.30, 0.27, 0.22, 0.16),
}
# An ectopic ventricular beat: no P, a wide QRS, a T against it.
_ECTOPIC_BEAT: _Beat = {
    "R": _wave(0.0, 0.034, 0.7, 1.3, -0.9, -1.3, -0.9, 0.9, 1.2, 1.1),
    "S": _wave(0.080, 0.034, -0.2, -0.5, 0.4, 0.3, 0.2, -0.4, -0.4, -0.3),
    "T": _wave(0.290, 0.060, -0.25, -0.45, 0.30, 0.45, 0.35, -0.30, -0.40, -0.35),
}

# Territories of the coronary arteries: leads that face the wall, leads that see its mirror image.
_TERRITORIES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((_II,), (_I, _V1, _V2)),  # inferior: with I falling, III rises most
    ((_V1, _V2, _V3, _V4), (_II,)),  # anterior
    ((_I, _V5, _V6), (_II, _V1)),  # lateral
)


def record_heart(class_name: str, rng: np.random.Generator) -> tuple[Floats, float]:
    """Record one heart of a class: its signals and its beats a minute.

    The signals are float64 (12, 5000) in mV, 10 s at `SAMPLING_RATE_HZ`, leads I II III aVR aVL aVF V1 to V6.

    Raises:
        KeyError: no such class.
    """
    beats, flutter_mv = _HEARTS[class_name](rng)
    times_s = np.arange(-_MARGIN_S, _RECORDING_S + _MARGIN_S, 1 / SAMPLING_RATE_HZ)
    leads_mv = sum((_print_beat(times_s, at_s, rr_s, beat) for at_s, rr_s, beat in beats), _noise(times_s, rng))
    leads_mv[[_II, _V1]] += flutter_mv * _fibrillation(times_s, rng)
    kept = (times_s >= -0.5 / SAMPLING_RATE_HZ) & (times_s < _RECORDING_S - 0.5 / SAMPLING_RATE_HZ)
    filtered_mv = _band_limited(leads_mv)[:, kept]
    rate = 60 / float(np.mean([rr_s for _, rr_s, _ in beats]))
    return twelve_leads(filtered_mv - filtered_mv.mean(axis=1, keepdims=True)), rate


_Beats = list[tuple[float, float, _Beat]]
"""R peak in seconds, the RR interval that follows, the beat's waves."""


def _normal(rng: np.random.Generator) -> tuple[_Beats, float]:
    return _regular(_person(rng), rng.uniform(60, 95), rng), 0.0


def _infarction(rng: np.random.Generator) -> tuple[_Beats, float]:
    beat = _person(rng)
    facing, mirror = _TERRITORIES[rng.integers(len(_TERRITORIES))]
    rise_mv = rng.uniform(0.18, 0.40)
    for name, share in (("ST", 1.0), ("rise of T", 0.9), ("T", 0.3)):
        beat[name].heights_mv[list(facing)] += share * rise_mv
        beat[name].heights_mv[list(mirror)] -= 0.35 * share * rise_mv
    return _regular(beat, rng.uniform(55, 105), rng), 0.0


def _past_infarction(rng: np.random.Generator) -> tuple[_Beats, float]:
    beat = _person(rng)
    facing = list(_TERRITORIES[rng.integers(len(_TERRITORIES))][0])
    beat["Q"] = replace(beat["Q"], width_s=0.016)
    beat["Q"].heights_mv[facing] -= rng.uniform(0.25, 0.45)
    beat["R"].heights_mv[facing] *= rng.uniform(0.2, 0.5)
    for name in ("rise of T", "T"):
        beat[name].heights_mv[facing] *= -rng.uniform(0.5, 0.9)
    return _regular(beat, rng.uniform(58, 92), rng), 0.0


def _abnormal(rng: np.random.Generator) -> tuple[_Beats, float]:
    beat = _person(rng)
    kinds = (_fibrillating, _ectopic, _fast, _slow)
    return kinds[rng.integers(len(kinds))](beat, rng)


def _fibrillating(beat: _Beat, rng: np.random.Generator) -> tuple[_Beats, float]:
    beat["P"] = _wave(-0.165, 0.022)
    mean_rr_s = 60 / rng.uniform(75, 140)
    return _at_intervals([mean_rr_s * rng.gamma(22, 1 / 22) for _ in range(60)], beat, rng), rng.uniform(0.03, 0.07)


def _ectopic(beat: _Beat, rng: np.random.Generator) -> tuple[_Beats, float]:
    beats = _regular(beat, rng.uniform(60, 95), rng)
    every, ectopic = int(rng.integers(3, 6)), _person(rng, _ECTOPIC_BEAT)
    for index in range(2, len(beats), every):
        at_s, rr_s, _ = beats[index]
        early_s = 0.33 * rr_s
        beats[index] = (at_s - early_s, rr_s + early_s, ectopic)
    return beats, 0.0


def _fast(beat: _Beat, rng: np.random.Generator) -> tuple[_Beats, float]:
    return _regular(beat, rng.uniform(115, 150), rng), 0.0


def _slow(beat: _Beat, rng: np.random.Generator) -> tuple[_Beats, float]:
    return _regular(beat, rng.uniform(36, 48), rng), 0.0


_HEARTS = {
    "abnormal_heartbeat": _abnormal,
    "history_of_mi": _past_infarction,
    "myocardial_infarction": _infarction,
    "normal": _normal,
}


def _person(rng: np.random.Generator, template: _Beat = _SINUS_BEAT) -> _Beat:
    """Vary a template from person to person; the arrays are the caller's to change."""
    gain = rng.uniform(0.7, 1.5)
    return {
        name: replace(wave, heights_mv=gain * wave.heights_mv * rng.normal(1, 0.15, _INDEPENDENT))
        for name, wave in template.items()
    }


def _regular(beat: _Beat, rate_per_min: float, rng: np.random.Generator) -> _Beats:
    """Beats that quicken and slow a little with breathing."""
    mean_rr_s, breath_hz, phase = 60 / rate_per_min, rng.uniform(0.2, 0.3), rng.uniform(0, 2 * np.pi)
    intervals_s: list[float] = []
    while sum(intervals_s) < _RECORDING_S + 4 * _MARGIN_S:
        breath = np.sin(2 * np.pi * breath_hz * sum(intervals_s) + phase)
        intervals_s.append(float(mean_rr_s * (1 + 0.02 * breath + rng.normal(0, 0.008))))
    return _at_intervals(intervals_s, beat, rng)


def _at_intervals(intervals_s: list[float], beat: _Beat, rng: np.random.Generator) -> _Beats:
    first_s = -_MARGIN_S - rng.uniform(0, intervals_s[0])
    starts_s = first_s + np.concatenate([[0.0], np.cumsum(intervals_s[:-1])])
    inside = starts_s < _RECORDING_S + _MARGIN_S
    return [
        (float(at_s), rr_s, _next_beat(beat, rng))
        for at_s, rr_s, kept in zip(starts_s, intervals_s, inside, strict=True)
        if kept
    ]


def _next_beat(beat: _Beat, rng: np.random.Generator) -> _Beat:
    gain = rng.normal(1, 0.03)
    return {name: replace(wave, heights_mv=gain * wave.heights_mv) for name, wave in beat.items()}


def _print_beat(times_s: Floats, at_s: float, rr_s: float, beat: _Beat) -> Floats:
    """Voltage of one beat in the eight leads, (8, times). What follows the QRS spreads with the root of RR (Bazett)."""
    total_mv = np.zeros((_INDEPENDENT, len(times_s)))
    for wave in beat.values():
        stretch = min(1.25, rr_s**0.5) if wave.after_r_s > _QRS_END_S else 1.0
        offset = (times_s - at_s - stretch * wave.after_r_s) / (stretch * wave.width_s)
        total_mv += np.outer(wave.heights_mv, np.exp(-0.5 * offset**2))
    return total_mv


def _noise(times_s: Floats, rng: np.random.Generator) -> Floats:
    """Breathing and loose electrodes below 1 Hz, muscle above; (8, times) in mV."""
    wander_hz = rng.uniform(0.5, 1.2, (_INDEPENDENT, 1))
    phases = rng.uniform(0, 2 * np.pi, (_INDEPENDENT, 1))
    wander_mv = rng.uniform(0, 0.04, (_INDEPENDENT, 1)) * np.sin(2 * np.pi * wander_hz * times_s + phases)
    muscle_mv = rng.uniform(0.01, 0.05) * rng.standard_normal((_INDEPENDENT, len(times_s)))
    return np.asarray(wander_mv + muscle_mv)


def _fibrillation(times_s: Floats, rng: np.random.Generator) -> Floats:
    """The atria's unrest, 4 to 9 Hz, of about one: (times,)."""
    phase = 2 * np.pi * np.cumsum(rng.uniform(4, 9, len(times_s))) / SAMPLING_RATE_HZ
    return np.asarray(np.sin(phase + 2 * np.sin(2 * np.pi * 0.9 * times_s)))


def _band_limited(leads_mv: Floats) -> Floats:
    """Keep `_BAND_HZ`, without shifting phases, with edges in the form of a raised cosine."""
    hz = np.fft.rfftfreq(leads_mv.shape[1], 1 / SAMPLING_RATE_HZ)
    low, high = (np.clip((hz / edge - 1) / _BAND_ROLL_OFF + 0.5, 0, 1) for edge in _BAND_HZ)
    gain = 0.5 * (np.cos(np.pi * high) - np.cos(np.pi * low))
    return np.fft.irfft(np.fft.rfft(leads_mv) * gain, leads_mv.shape[1])


def twelve_leads(independent_mv: Floats) -> Floats:
    """Add III, aVR, aVL and aVF by Einthoven's and Goldberger's equations: (12, samples)."""
    one, two = independent_mv[_I], independent_mv[_II]
    derived = (two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return np.vstack([independent_mv[: _II + 1], derived, independent_mv[_V1:]])
