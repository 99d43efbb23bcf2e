"""Report pages as they arrive: scaled, shifted, cropped, turned, tilted, scanned, photographed, on a screen."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Distorter", "distorted"]

Picture = NDArray[np.uint8]
"""uint8 (height_px, width_px, 3), BGR."""

_FRAME = (284, 1517, 69, 2176)  # rows, columns of the printed frame
_LEADS = (296, 1484, 88, 2130)  # rows, columns of pulses and curves
_CAMERA_PX = (3264, 2448)
_SCREEN_PX = ((1920, 1080), (2560, 1440), (3840, 2160))


@dataclass(frozen=True)
class Distorter:
    """Draws parameters of distortions.

    Attributes:
        rng: decides every parameter.
        width: share of each range that is used, around its middle; 1 is all of it.
    """

    rng: np.random.Generator
    width: float = 1.0

    def between(self, low: float, high: float) -> float:
        """Draw one number of a range."""
        middle, half = (low + high) / 2, (high - low) / 2 * self.width
        return float(self.rng.uniform(middle - half, middle + half))

    def scaled(self, page: Picture) -> Picture:
        """Resize by 0.5 to 1.6."""
        scale = self.between(0.5, 1.6)
        return _resized(page, scale)

    def shifted(self, page: Picture) -> Picture:
        """Shift by up to 120 px: white comes in, the other side is lost or kept."""
        return _moved(page, round(self.between(-60, 120)), round(self.between(-60, 120)))

    def cropped_to_frame(self, page: Picture) -> Picture:
        """Keep the frame, with up to 8 px more or less at each side."""
        return self._cropped(page, _FRAME, 8)

    def cropped_to_leads(self, page: Picture) -> Picture:
        """Keep pulses and curves, with up to 8 px more or less at each side."""
        return self._cropped(page, _LEADS, 8)

    def turned(self, page: Picture) -> Picture:
        """Turn by 90, 180 or 270 degrees."""
        return np.ascontiguousarray(np.rot90(page, int(self.rng.integers(1, 4))))

    def tilted(self, page: Picture) -> Picture:
        """Tilt by up to 5 degrees on white, the picture grown so that nothing is lost."""
        return _tilted(page, self.between(-5, 5), 1.0)

    def scanned_colour(self, page: Picture) -> Picture:
        """Scan at 100 to 300 dpi in colour."""
        return self._scanned(page, gray=False)

    def scanned_gray(self, page: Picture) -> Picture:
        """Scan at 100 to 300 dpi in gray."""
        return self._scanned(page, gray=True)

    def photographed(self, page: Picture) -> Picture:
        """Photograph a bent sheet on a desk by hand with 8 MP."""
        sheet = cv2.copyMakeBorder(page, 20, 20, 20, 60, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        height, width = sheet.shape[:2]
        camera_width, camera_height = _CAMERA_PX
        filled = self.between(0.72, 0.97)
        half_width, half_height = filled * camera_width / 2, filled * camera_width / 2 * height / width
        turn = np.deg2rad(self.between(-4, 4))
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (half_width, half_height)
        corners = corners @ np.array(((np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))))
        corners += self.rng.uniform(-1, 1, (4, 2)) * 0.035 * self.width * camera_width
        corners += np.array(_CAMERA_PX) / 2
        low = np.minimum(corners.min(axis=0) - 8, 0)
        high = np.maximum(corners.max(axis=0) + 8 - _CAMERA_PX, 0)
        corners -= low + high
        flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        homography = cv2.getPerspectiveTransform(corners.astype(np.float32), flat)
        step = 16
        columns, rows = np.meshgrid(np.arange(0, camera_width + step, step), np.arange(0, camera_height + step, step))
        points = homography @ np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])
        x, y = (points[:2] / points[2]).reshape(2, *columns.shape)
        bend, phase = self.between(4, 16), self.between(0, 2 * np.pi)
        across = np.sin(np.pi * np.clip(x / width, 0, 1) * self.between(0.8, 1.6) + phase)
        down = np.sin(np.pi * np.clip(y / height, 0, 1) * self.between(0.8, 1.4) + phase / 2)
        x, y = (_refined(field, step, _CAMERA_PX) for field in (x + 0.4 * bend * down, y + bend * across))
        photo = cv2.remap(sheet, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
        photo[outside] = self._desk(camera_height, camera_width)[outside]
        light = self._light(camera_height, camera_width)
        photo = cv2.multiply(photo, cv2.merge([light] * 3), dtype=cv2.CV_8U)
        photo = cv2.GaussianBlur(photo, (0, 0), self.between(0.5, 1.6))
        return self._jpeg(self._noisy(photo, self.between(1, 6)), 70, 95)

    def on_screen(self, page: Picture) -> Picture:
        """Show the page in a window of a screen, with bars and text around, and take a screenshot."""
        width, height = _SCREEN_PX[int(self.rng.integers(len(_SCREEN_PX)))]
        bar, side = round(height * self.between(0.05, 0.12)), round(width * self.between(0.0, 0.12))
        level = int(self.between(30, 240))
        screen = np.full((height, width, 3), level, np.uint8)
        screen[:bar] = int(self.between(30, 250))
        for line in range(3):
            text, place = "File  Edit  View  Page 1 / 1  100 %", (10 + 30 * line, bar // 4 * (line + 1))
            cv2.putText(screen, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (90, 90, 90), 1, cv2.LINE_AA)
        most = min((height - bar - 8) / page.shape[0], (width - side - 8) / page.shape[1])
        scale = max(0.5, min(1.6, most * self.between(0.8, 1.0)))
        shown = _resized(page, scale)[: height - bar - 4, : width - side - 4]
        top = bar + int(self.rng.integers(0, height - bar - shown.shape[0]))
        left = side + int(self.rng.integers(0, width - side - shown.shape[1]))
        screen[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        return screen

    def _cropped(self, page: Picture, box: tuple[int, int, int, int], by: int) -> Picture:
        top, bottom, left, right = (edge + round(self.between(-by, by)) for edge in box)
        return np.ascontiguousarray(page[top:bottom, left:right])

    def _scanned(self, page: Picture, *, gray: bool) -> Picture:
        dpi = self.between(100, 300)
        scan = _tilted(page, self.between(-2, 2), dpi / 200)
        scan = cv2.GaussianBlur(scan, (0, 0), self.between(0.3, 0.8) * max(dpi / 200, 0.7))
        paper, ink = self.between(225, 255), self.between(0, 50)
        levels = np.clip(np.round(ink + np.arange(256) * ((paper - ink) / 255)), 0, 255).astype(np.uint8)
        scan = self._noisy(cv2.LUT(scan, levels), self.between(0.5, 4))
        if gray:
            scan = cv2.cvtColor(cv2.cvtColor(scan, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)
        return self._jpeg(scan, 60, 95)

    def _noisy(self, picture: Picture, sigma: float) -> Picture:
        noise = self.rng.standard_normal(2**18, np.float32) * sigma + 128
        shuffled = self.rng.integers(0, 2**17, -(-picture.shape[0] * picture.shape[1] // 2**17))
        parts = [noise[start : start + 2**17] for start in shuffled]
        grain = np.concatenate(parts)[: picture.shape[0] * picture.shape[1]].reshape(picture.shape[:2])
        grain = np.clip(grain + 0.5, 0, 255).astype(np.uint8)
        return np.asarray(cv2.add(picture, cv2.merge([grain] * 3).astype(np.int16) - 128, dtype=cv2.CV_8U), np.uint8)

    def _desk(self, height: int, width: int) -> Picture:
        coarse = self.rng.uniform(0, 1, (height // 60, width // 12, 1)).astype(np.float32)
        grain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., np.newaxis]
        colour = self.rng.uniform(40, 170, 3).astype(np.float32)
        return np.clip(colour * (0.75 + 0.4 * grain), 0, 255).astype(np.uint8)

    def _light(self, height: int, width: int) -> NDArray[np.float32]:
        rows, columns = np.mgrid[0:48, 0:64].astype(np.float32)
        rows, columns = rows / 47, columns / 63
        turn = self.between(0, 2 * np.pi)
        light = self.between(0.75, 0.97) + self.between(-0.2, 0.2) * (
            (columns - 0.5) * np.cos(turn) + rows * np.sin(turn)
        )
        edge = (columns - self.between(0, 1)) * np.cos(turn) + (rows - self.between(0, 1)) * np.sin(turn)
        shadow = 1 - self.between(0.0, 0.45) / (1 + np.exp(-edge / self.between(0.02, 0.15)))
        return cv2.resize((light * shadow).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)

    def _jpeg(self, picture: Picture, low: int, high: int) -> Picture:
        quality = round(self.between(low, high))
        return np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8
        )


KINDS: dict[str, Callable[[Distorter, Picture], Picture]] = {
    "scaled": Distorter.scaled,
    "shifted": Distorter.shifted,
    "cropped to the frame": Distorter.cropped_to_frame,
    "cropped to the leads": Distorter.cropped_to_leads,
    "turned": Distorter.turned,
    "tilted": Distorter.tilted,
    "scanned in colour": Distorter.scanned_colour,
    "scanned in gray": Distorter.scanned_gray,
    "photographed": Distorter.photographed,
    "on a screen": Distorter.on_screen,
}


def distorted(page: Picture, kind: str, seed: int, width: float = 1.0) -> Picture:
    """Distort one page: the same for the same ``kind`` (a key of `KINDS`) and ``seed``."""
    rng = np.random.default_rng((list(KINDS).index(kind), seed))
    return KINDS[kind](Distorter(rng, width), page)


def _refined(field: NDArray[np.float64], step: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a field known at every ``step``-th pixel."""
    scale = np.array(((1 / step, 0, 0), (0, 1 / step, 0)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(field.astype(np.float32), scale, size, flags=flags), np.float32)


def _resized(page: Picture, scale: float) -> Picture:
    size = round(page.shape[1] * scale), round(page.shape[0] * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(page, size, interpolation=how), np.uint8)


def _moved(page: Picture, down: int, right: int) -> Picture:
    height, width = page.shape[:2]
    moved = np.full_like(page, 255)
    moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = page[
        max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return moved


def _tilted(page: Picture, degrees: float, scale: float) -> Picture:
    height, width = page.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    source = cv2.GaussianBlur(page, (0, 0), 0.45 / scale) if scale < 0.9 else page  # noqa: PLR2004
    return np.asarray(cv2.warpAffine(source, turn, size, flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255)), np.uint8)
