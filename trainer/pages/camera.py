"""What a scanner or a hand-held camera makes of a drawn page; places of samples go with it."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.pages.renderer import DrawnPage

__all__ = ["photographed", "recompressed", "scanned"]

Floats = NDArray[np.float64]


def recompressed(page: DrawnPage, random: np.random.Generator) -> DrawnPage:
    """An export at another size, saved as JPEG."""
    factor = float(random.uniform(0.7, 1.25))
    gray = cv2.resize(
        page.gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    return _moved(
        page,
        _jpeg(np.asarray(gray, np.uint8), int(random.integers(75, 98))),
        lambda x, y: ((x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5),
    )


def scanned(page: DrawnPage, random: np.random.Generator) -> DrawnPage:
    """A flat-bed scan: a small tilt, gray paper, noise, soft edges."""
    height, width = page.gray.shape
    angle, factor = float(random.uniform(-2.0, 2.0)), float(random.uniform(0.75, 1.2))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, factor)
    size = round(width * factor), round(height * factor)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    gray = cv2.warpAffine(page.gray, matrix, size, flags=cv2.INTER_AREA, borderValue=int(random.integers(200, 255)))
    gray = cv2.GaussianBlur(gray, (0, 0), float(random.uniform(0.4, 0.9)))
    low, high = random.uniform(10, 60), random.uniform(205, 252)
    noisy = low + gray.astype(np.float32) / 255 * (high - low) + random.normal(0, random.uniform(1, 7), gray.shape)
    return _moved(
        page,
        _jpeg(np.rint(np.clip(noisy, 0, 255)).astype(np.uint8), int(random.integers(60, 96))),
        lambda x, y: (
            matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
            matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
        ),
    )


def photographed(page: DrawnPage, random: np.random.Generator) -> DrawnPage:
    """A hand-held photograph: perspective, bent paper, shadow, blur, noise, JPEG."""
    height, width = page.gray.shape
    margin = float(random.uniform(0.02, 0.08)) * width
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    shaken = corners + random.uniform(-0.035, 0.035, (4, 2)) * [width, height] + margin
    factor = float(random.uniform(0.8, 1.15))
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), (shaken * factor).astype(np.float32))
    size = round((width + 2 * margin) * factor), round((height + 2 * margin) * factor)
    depth, wave, phase = (
        float(random.uniform(0, 0.006)) * width,
        float(random.uniform(0.4, 1.2)),
        float(random.uniform(0, 2 * np.pi)),
    )

    def bent(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        lift = depth * np.sin(2 * np.pi * wave * x / width + phase)
        return x, y + lift

    def forward(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        x, y = bent(x, y)
        third = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
        return (
            (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / third,
            (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / third,
        )

    inverse = np.linalg.inv(matrix)
    at_x, at_y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
    third = inverse[2, 0] * at_x + inverse[2, 1] * at_y + inverse[2, 2]
    from_x = (inverse[0, 0] * at_x + inverse[0, 1] * at_y + inverse[0, 2]) / third
    from_y = (inverse[1, 0] * at_x + inverse[1, 1] * at_y + inverse[1, 2]) / third
    from_y -= depth * np.sin(2 * np.pi * wave * from_x / width + phase)
    soft = cv2.GaussianBlur(page.gray, (0, 0), float(random.uniform(0.5, 1.1)))
    gray = cv2.remap(
        soft,
        from_x.astype(np.float32),
        from_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderValue=int(random.integers(60, 160)),
    )
    small = random.uniform(0.55, 1.0, (3, 4)).astype(np.float32)
    light = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    noisy = gray.astype(np.float32) * light * float(random.uniform(0.75, 0.98)) + random.normal(
        0, random.uniform(1, 5), gray.shape
    )
    return _moved(page, _jpeg(np.rint(np.clip(noisy, 0, 255)).astype(np.uint8), int(random.integers(60, 92))), forward)


def _jpeg(gray: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _moved(
    page: DrawnPage, gray: NDArray[np.uint8], forward: Callable[[Floats, Floats], tuple[Floats, Floats]]
) -> DrawnPage:
    places = {lead: np.stack(forward(points[:, 0], points[:, 1]), axis=1) for lead, points in page.places.items()}
    boxes = []
    for lead, (left, top, right, bottom) in page.names:
        x, y = forward(np.array([left, right], float), np.array([top, bottom], float))
        boxes.append((lead, (int(x[0]), int(y[0]), int(x[1]), int(y[1]))))
    return replace(page, gray=gray, places=places, names=tuple(boxes))
