"""Pitch and map of drawn grids."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from digitize import UndigitizedPageError, digitize
from digitize.flat import flatten
from digitize.grid import find_grid
from digitize.sampling import RATE_HZ
from trainer.pages.camera import photographed
from trainer.pages.renderer import DrawnPage, draw_page
from trainer.pages.styles import Style


@pytest.mark.parametrize(("kind", "heavy"), [("solid", 150), ("dotted", 150), ("dotted", 189), ("fine", 150)], ids=str)
def test_pitch_of_each_grid_is_exact(kind: str, heavy: int, plain_style: Style, heart_mv: NDArray[np.float64]) -> None:
    style = replace(plain_style, grid=kind, light=190, heavy=heavy)  # type: ignore[arg-type]
    grid = find_grid(draw_page(style, heart_mv, RATE_HZ).gray)
    assert grid is not None
    assert grid.pitch_px == pytest.approx((39.37, 39.37), rel=0.003)
    assert grid.residual_mm < 0.2


def test_grid_whose_fine_lines_are_too_near_is_refused(plain_page: DrawnPage) -> None:
    """A small and bent picture: its heavy lines fit badly, and its lines of 1 mm are nearer than two pixels."""
    small = cv2.resize(plain_page.gray, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    x, y = np.meshgrid(np.arange(small.shape[1], dtype=np.float32), np.arange(small.shape[0], dtype=np.float32))
    bent = cv2.remap(small, x, y + 3 * np.sin(x / 50), cv2.INTER_LINEAR, borderValue=255.0)
    with pytest.raises(UndigitizedPageError) as refused:
        digitize(np.asarray(bent, np.uint8))
    assert refused.value.missing == "grid"


def test_tilt_of_a_page_is_measured(plain_page: DrawnPage) -> None:
    height, width = plain_page.gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 4.0, 1.0)
    grid = find_grid(np.asarray(cv2.warpAffine(plain_page.gray, turn, (width, height), borderValue=255.0), np.uint8))
    assert grid is not None
    assert abs(grid.tilt_deg) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_map_of_a_photograph_is_true_everywhere(plain_page: DrawnPage, seed: int) -> None:
    photo = photographed(plain_page, np.random.default_rng(seed))
    grid = find_grid(photo.gray)
    assert grid is not None
    for lead, place in photo.places.items():
        found = np.stack(grid.millimetres(place[:, 0], place[:, 1]), axis=1)
        off = found - plain_page.places[lead] / plain_page.px_per_mm
        assert np.ptp(off, axis=0).max() < 0.3


def test_pixels_invert_millimetres(plain_page: DrawnPage) -> None:
    grid = find_grid(photographed(plain_page, np.random.default_rng(6)).gray)
    assert grid is not None
    x, y = np.array([500.0, 1500.0]), np.array([400.0, 900.0])
    back = grid.pixels(*grid.millimetres(x, y))
    np.testing.assert_allclose(back, (x, y), atol=0.05)


def test_noise_has_no_grid() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200)).astype(np.uint8)
    grid = find_grid(noise)
    assert grid is None or grid.residual_mm > 0.3


def test_blank_paper_has_no_grid() -> None:
    assert find_grid(np.full((800, 1000), 250, np.uint8)) is None


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_flat_page_keeps_its_pixels(plain_page: DrawnPage, quarters: int) -> None:
    grid = find_grid(plain_page.gray)
    assert grid is not None
    page = flatten(plain_page.gray, grid)
    turned = page.turned(quarters)
    assert turned.tilt_deg % 360 == pytest.approx((page.tilt_deg + 90 * quarters) % 360)
    rows, columns = (np.unique(axis)[::97] for axis in np.nonzero(turned.ink > 0.9))
    y, x = np.meshgrid(rows, columns, indexing="ij")
    at_x, at_y = turned.page_pixels(x.astype(float), y.astype(float))
    seen = plain_page.gray[np.rint(at_y).astype(int).clip(0, None), np.rint(at_x).astype(int).clip(0, None)]
    inked = turned.ink[y, x]
    assert np.corrcoef(inked.ravel(), seen.ravel())[0, 1] < -0.5
