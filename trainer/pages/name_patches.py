"""Patches of drawn flat pages, to train the detector of names: what it sees, and what stands there."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.names import CELL_PX, SCALE_PX_PER_MM, TOKENS
from digitize.networks import CROP_PX, crop
from trainer.pages.typefaces import draw_text, typefaces

__all__ = ["HEIGHT_PX", "WIDTH_PX", "Crops", "Patches", "draw_crops", "draw_patches"]

HEIGHT_PX, WIDTH_PX = 64, 96  # at SCALE_PX_PER_MM
_FINE = 2  # drawn at twice the scale
_MM = SCALE_PX_PER_MM * _FINE
_CUT = -2
_MARKS = ("bar", "dashes", "ticks", "pulse", "arrow", "rule", "none")
_MARK_SHARES = (0.25, 0.1, 0.15, 0.12, 0.08, 0.06, 0.24)
_HIT_CELLS = 0.95  # from a text's middle within which a cell must name it
_Box = tuple[int, int, int, int]
_Boxes = list[tuple[int, _Box]]
_SPELLINGS = {"aVR": ("aVR", "AVR"), "aVL": ("aVL", "AVL"), "aVF": ("aVF", "AVF")}
_WORDS = (
    *("ID", "Name", "Age", "Sex", "Male", "Female", "Vent. rate", "bpm", "BPM", "PR interval", "QRS duration", "ms"),
    *("QT/QTc", "P-R-T axes", "ECG", "Sinus rhythm", "Normal", "Abnormal", "Unconfirmed", "Hz", "0.05-150 Hz", "AC50"),
    *("kg", "cm", "mmHg", "Dr.", "Room", "LP15", "V", "VF", "VT", "aV", "AV", "R", "L", "F", "STJ", "mm", "mV", "60~"),
    *(
        "150 Hz",
        "12SL",
        "MAC",
        "v250",
        "Speed:",
        "Limb:",
        "Chest:",
        "Gain",
        "/",
        "|",
        "-",
        "l",
        "i",
        "1",
        "2",
        "3",
        "II:",
        "T",
        "P",
    ),
)


@dataclass(frozen=True, eq=False)
class Patches:
    """Training data.

    Attributes:
        ink: uint8 (patches, HEIGHT_PX, WIDTH_PX), 255 pen.
        token: uint8 (patches, rows, columns) of cells: 0 nothing, 1 + index into `TOKENS`; 255 where either will do.
        box: float32 (patches, rows, columns, 4): left, top, right and bottom edge from the cell's centre, in cells.
    """

    ink: NDArray[np.uint8]
    token: NDArray[np.uint8]
    box: NDArray[np.float32]


def draw_patches(count: int, signals_mv: NDArray[np.float32], seed: int, *, held_out: bool = False) -> Patches:
    """Draw patches with curves of ``signals_mv`` (curves, samples at 100 Hz)."""
    random = np.random.default_rng(seed)
    rows, columns = HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX
    ink = np.zeros((count, HEIGHT_PX, WIDTH_PX), np.uint8)
    token = np.zeros((count, rows, columns), np.uint8)
    box = np.zeros((count, rows, columns, 4), np.float32)
    for index in range(count):
        canvas, boxes = _patch(random, signals_mv, typefaces(held_out))
        ink[index] = cv2.resize(canvas, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
        token[index], box[index] = _targets(boxes)
    return Patches(ink, token, box)


@dataclass(frozen=True, eq=False)
class Crops:
    """Training data of the second look.

    Attributes:
        ink: uint8 (crops, *CROP_PX).
        token: uint8 (crops,): 0 nothing, 1 + index into `TOKENS`.
    """

    ink: NDArray[np.uint8]
    token: NDArray[np.uint8]


def draw_crops(patches: int, signals_mv: NDArray[np.float32], seed: int, *, held_out: bool = False) -> Crops:
    """Cut texts, and places with other ink, out of drawn patches; boxes are off as a detector's are."""
    random = np.random.default_rng(seed)
    inks, tokens = [], []
    for _ in range(patches):
        canvas, boxes = _patch(random, signals_mv, typefaces(held_out))
        plane = np.asarray(canvas, np.float32) / np.float32(255)
        for index, (left, top, _, bottom) in [*boxes, *_elsewhere(canvas, boxes, random)]:
            if index == _CUT:
                continue
            height = bottom - top
            shaken = random.normal(0, 0.09, 4) * height
            inks.append(np.rint(crop(plane, left + shaken[0], top + shaken[1], bottom + shaken[3]) * 255))
            tokens.append(index + 1)
    return Crops(np.array(inks, np.uint8).reshape(-1, *CROP_PX), np.array(tokens, np.uint8))


def _elsewhere(canvas: NDArray[np.uint8], boxes: _Boxes, random: np.random.Generator) -> _Boxes:
    """Boxes around ink that is no text."""
    rows, columns = np.nonzero(canvas > 128)  # noqa: PLR2004
    found = []
    for _ in range(2 if len(rows) else 0):
        at = random.integers(len(rows))
        height, width = int(random.integers(14, 38)), int(random.integers(5, 50))
        left, top = int(columns[at] - width // 2), int(rows[at] - height * random.uniform(0.2, 0.8))
        this = (left, top, left + width, top + height)
        if all(
            this[0] > other[2] or this[2] < other[0] or this[1] > other[3] or this[3] < other[1] for _, other in boxes
        ):
            found.append((-1, this))
    return found


def _patch(
    random: np.random.Generator, signals_mv: NDArray[np.float32], faces: tuple[str, ...]
) -> tuple[NDArray[np.uint8], _Boxes]:
    """Ink at twice the scale, and what stands where: index into `TOKENS`, -1 other text, `_CUT` a token cut off."""
    canvas = np.zeros((HEIGHT_PX * _FINE, WIDTH_PX * _FINE), np.uint8)
    boxes: _Boxes = []
    sheet = _Sheet(canvas, boxes, random)
    face = faces[random.integers(len(faces))]
    capital_px = round(float(random.uniform(1.7, 4.6)) * _MM * 2) / 2
    footer = _chance(random, 0.22)
    for _ in range(random.integers(1, 5)):
        if footer:
            _print_footer(sheet, face, max(13.0, min(capital_px, 3.2 * _MM)))
        elif _chance(random, 0.65):
            name = TOKENS[random.integers(12)]
            spelled = _SPELLINGS.get(name, (name,))
            text = spelled[0] if _chance(random, 0.93) else spelled[-1]
            if name[0] == "V" and _chance(random, 0.04):
                text = text.lower()
            _print(sheet, draw_text(text, face, capital_px), TOKENS.index(name))
        else:
            _print(sheet, draw_text(_any_word(random), face, capital_px), None)
    if not footer or _chance(random, 0.3):
        _draw_curves(canvas, random, signals_mv)
        _draw_marks(canvas, boxes, random)
    return _print_quality(canvas, random), boxes


class _Sheet(NamedTuple):
    """What is drawn on, and what stands there."""

    ink: NDArray[np.uint8]
    boxes: _Boxes
    random: np.random.Generator


def _chance(random: np.random.Generator, share: float) -> bool:
    return bool(random.random() < share)


def _any_word(random: np.random.Generator) -> str:
    if _chance(random, 0.55):
        return str(_WORDS[random.integers(len(_WORDS))])
    if _chance(random, 0.55):
        return str(round(float(random.uniform(0, 400)), int(random.integers(0, 3))))
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./:-"
    return "".join(letters[k] for k in random.integers(0, len(letters), random.integers(2, 9)))


def _print_footer(sheet: _Sheet, face: str, capital_px: float) -> None:
    """A printed speed or gain, or what looks like one and is not."""
    random = sheet.random
    number = str(random.choice(["25", "50", "5", "10", "20"]))
    unit = "mm/s" if number in ("25", "50") else "mm/mV"
    wrong = _chance(random, 0.25)
    shown = number
    if wrong:
        number, unit = (
            str(random.choice(["12", "15", "40", "100", "0.5", "2.5", "35", "150", "30"])),
            str(random.choice(["mm/s", "mm/mV", "Hz", "mm", "ms", "mmHg"])),
        )
        shown = number
    elif _chance(random, 0.35):
        shown = number + ".0"
    unit_text = unit
    if unit == "mm/s":
        unit_text = str(random.choice(["mm/s", "mm/s", "mm/sec", "mm/Sec"]))
    elif unit == "mm/mV":
        unit_text = str(random.choice(["mm/mV", "mm/mV", "mm/mv"]))
    gap = " " if _chance(random, 0.5) else ""
    text = shown + gap + unit_text
    whole, part = draw_text(text, face, capital_px), draw_text(shown, face, capital_px)
    token = None if wrong else TOKENS.index(number + unit)
    _print(sheet, whole, token, part.shape[1])


def _print(sheet: _Sheet, word: NDArray[np.uint8], token: int | None, box_width: int | None = None) -> None:
    """Print a word where there is room."""
    canvas, boxes, random = sheet
    height, width = word.shape
    rows, columns = canvas.shape
    for _ in range(12):
        top, left = int(random.integers(-4, rows - 4)), int(random.integers(-20, columns - 10))
        this = (left, top, left + width, top + height)
        if all(
            this[0] > other[2] + 10 or this[2] < other[0] - 10 or this[1] > other[3] + 6 or this[3] < other[1] - 6
            for _, other in boxes
        ):
            break
    else:
        return
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + height, rows), min(left + width, columns)
    if y1 <= y0 or x1 <= x0:
        return
    part = word[y0 - top : y1 - top, x0 - left : x1 - left]
    canvas[y0:y1, x0:x1] = np.maximum(canvas[y0:y1, x0:x1], part)
    whole = (y1 - y0) * (x1 - x0) > 0.97 * height * width
    index = -1 if token is None else token
    if token is not None and not whole:
        index = _CUT  # cut by the edge: neither wanted nor unwanted
    boxes.append((index, (left, top, left + (box_width or width), top + height)))
    if box_width is not None:
        boxes.append((-1, (left + box_width + 1, top, left + width, top + height)))


def _draw_curves(canvas: NDArray[np.uint8], random: np.random.Generator, signals_mv: NDArray[np.float32]) -> None:
    rows, columns = canvas.shape
    for _ in range(random.integers(0, 4)):
        curve = signals_mv[random.integers(len(signals_mv))]
        speed, gain = (
            25 * _MM * float(random.choice([1.0, 1.0, 1.0, 2.0])),
            _MM * float(random.choice([10.0, 10.0, 5.0, 20.0])),
        )
        start = int(random.integers(0, 600))
        x = np.arange(int(columns / speed * 100) + 2) * speed / 100
        if _chance(random, 0.25):
            x = x + random.integers(0, columns)
        y = random.uniform(-20, rows + 20) - curve[start : start + len(x)] * gain
        points = np.stack([x[: len(y)], y], axis=1)
        cv2.polylines(
            canvas,
            [np.rint(points * 8).astype(np.int32)],
            isClosed=False,
            color=255,
            thickness=int(random.integers(1, 4)),
            lineType=cv2.LINE_AA,
            shift=3,
        )


def _draw_marks(canvas: NDArray[np.uint8], boxes: _Boxes, random: np.random.Generator) -> None:
    """Separators, ticks, arrows, pulses and frames."""
    rows, columns = canvas.shape
    kind = str(random.choice(_MARKS, p=_MARK_SHARES))
    x, y = int(random.integers(0, columns)), int(random.integers(-20, rows))
    if boxes and _chance(random, 0.6):
        left, top, _, _ = boxes[random.integers(len(boxes))][1]
        x = left - int(random.integers(2, 12))
        y = top - int(random.integers(-10, 50))
    thick = int(random.integers(1, 6))
    if kind == "bar":
        cv2.line(canvas, (x, y), (x, y + int(random.uniform(5, 14) * _MM)), 255, thick)
    elif kind == "dashes":
        for k in range(30):
            cv2.line(canvas, (x, y + k * 8), (x, y + k * 8 + 4), 255, max(1, thick // 2))
    elif kind == "ticks":
        cv2.line(canvas, (x, y), (x, y + int(random.uniform(1.5, 4) * _MM)), 255, thick)
        cv2.line(canvas, (x, y + int(6 * _MM)), (x, y + int(random.uniform(7.5, 9.5) * _MM)), 255, thick)
    elif kind == "pulse":
        height, width = int(10 * _MM * random.choice([0.5, 1.0])), int(5 * _MM)
        points = np.array(
            [(x - 10, y), (x, y), (x, y - height), (x + width, y - height), (x + width, y), (x + width + 10, y)]
        )
        cv2.polylines(canvas, [points], isClosed=False, color=255, thickness=min(3, thick))
    elif kind == "arrow":
        cv2.arrowedLine(canvas, (x, y), (x, y + int(2 * _MM)), 255, 1, cv2.LINE_AA, 0, 0.3)
    elif kind == "rule":
        cv2.line(canvas, (0, y), (columns, y), 255, min(3, thick))


def _print_quality(canvas: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """What the grid's removal, the camera and the printer leave of the ink."""
    ink: NDArray[Any] = canvas.astype(np.float32) / 255
    rows, columns = ink.shape
    phase = random.integers(0, 40, 2)
    if _chance(random, 0.5):  # where lines of the grid ran, ink is thinner
        keep = float(random.uniform(0.0, 1.0))
        ink[phase[0] :: 40] *= keep
        ink[:, phase[1] :: 40] *= keep
        if _chance(random, 0.5):
            ink[(phase[0] + 1) :: 40] *= keep
            ink[:, (phase[1] + 1) :: 40] *= keep
    if _chance(random, 0.35):  # and what is left of them
        strength = float(random.uniform(0.1, 0.9))
        period = int(random.choice([8, 40, 40]))
        left = np.asarray(random.random(rows)) if _chance(random, 0.5) else np.ones(rows)
        lines = np.zeros_like(ink)
        for start in range(int(phase[0]) % period, rows, period):
            lines[start] = strength * (random.random(columns) < random.uniform(0.1, 0.9)) * left[start]
        for start in range(int(phase[1]) % period, columns, period):
            lines[:, start] = strength * (random.random(rows) < random.uniform(0.1, 0.9))
        ink = np.maximum(ink, lines)
    if _chance(random, 0.75):
        sigma = float(random.uniform(0.4, 1.7))
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), sigma)) * float(random.uniform(1.0, 1.5))
    if _chance(random, 0.3):
        ink = np.clip((ink - random.uniform(0.1, 0.4)) * 2.5, 0, 1)
    if _chance(random, 0.5):
        ink = ink + random.normal(0, random.uniform(0.01, 0.12), ink.shape).astype(np.float32)
    if _chance(random, 0.3):
        ink *= random.random(ink.shape) > random.uniform(0.0, 0.4)
    ink *= float(random.uniform(0.55, 1.15))
    return np.asarray(np.rint(np.clip(ink, 0, 1) * 255), np.uint8)


def _targets(boxes: _Boxes) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rows, columns = HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX
    token, box = np.zeros((rows, columns), np.uint8), np.zeros((rows, columns, 4), np.float32)
    cell = CELL_PX * _FINE
    for index, (left, top, right, bottom) in boxes:
        if index == -1:
            continue
        centre_x, centre_y = (left + right) / 2 / cell - 0.5, (top + bottom) / 2 / cell - 0.5
        for row in range(max(0, int(np.floor(centre_y)) - 1), min(rows, int(np.ceil(centre_y)) + 2)):
            for column in range(max(0, int(np.floor(centre_x)) - 1), min(columns, int(np.ceil(centre_x)) + 2)):
                distance = max(abs(row - centre_y), abs(column - centre_x))
                if index == _CUT or distance > _HIT_CELLS:
                    token[row, column] = token[row, column] or 255
                else:
                    token[row, column] = index + 1
                    at_x, at_y = (column + 0.5) * cell, (row + 0.5) * cell
                    box[row, column] = (
                        (left - at_x) / cell,
                        (top - at_y) / cell,
                        (right - at_x) / cell,
                        (bottom - at_y) / cell,
                    )
        if index == _CUT:
            y0, y1 = max(0, top // cell), min(rows, bottom // cell + 1)
            x0, x1 = max(0, left // cell), min(columns, right // cell + 1)
            part = token[y0:y1, x0:x1]
            part[part == 0] = 255
    return token, box
