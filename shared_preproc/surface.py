"""Smooth maps of the page, fitted robustly to points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Points", "Surface", "affine_through", "moved", "rms"]

Points = NDArray[np.float64]
"""float64 (points, 2): x right and y down, pixel centres at whole numbers."""

_MIDDLE_PX, _HALF_PX = np.array((1106.0, 900.0)), np.array((1106.0, 700.0))  # so that a page spans about -1 to 1
_ROUNDS = 3
_FAR = 3  # times the median


@dataclass(frozen=True, eq=False)
class Surface:
    """Two polynomials of the page's coordinates, in Chebyshev's basis: one gives x, the other y."""

    degree: int
    factors: NDArray[np.float64]

    @classmethod
    def through(cls, at: Points, to: Points, degree: int) -> "Surface":
        """Fit ``to`` as a function of ``at`` by least squares, repeated without the points that are far off."""
        basis = _basis(at, degree)
        near = np.ones(len(at), np.bool_)
        for _ in range(_ROUNDS):
            chosen = basis[near]
            factors = np.linalg.solve(chosen.T @ chosen + 1e-3 * np.eye(basis.shape[1]), chosen.T @ to[near])
            off = np.abs(basis @ factors - to).max(axis=1)
            near = off <= max(1.0, _FAR * float(np.median(off)))
        return cls(degree, factors)

    def __call__(self, at: Points) -> Points:
        """Map points."""
        mapped: Points = _basis(at, self.degree) @ self.factors
        return mapped


def _basis(at: Points, degree: int) -> NDArray[np.float64]:
    """All products of both coordinates' polynomials up to a degree: (points, products)."""
    across, down = (np.polynomial.chebyshev.chebvander(axis, degree) for axis in ((at - _MIDDLE_PX) / _HALF_PX).T)
    return np.stack([across[:, x] * down[:, y] for x in range(degree + 1) for y in range(degree + 1 - x)], axis=1)


def affine_through(at: Points, to: Points) -> NDArray[np.float64]:
    """Fit an affine map, (2, 3), by least squares."""
    basis = np.column_stack([at, np.ones(len(at))])
    affine: NDArray[np.float64] = np.linalg.solve(basis.T @ basis, basis.T @ to).T
    return affine


def moved(at: Points, affine: NDArray[np.float64]) -> Points:
    """Map points by an affine map, (2, 3)."""
    mapped: Points = at @ affine[:, :2].T + affine[:, 2]
    return mapped


def rms(off: Points) -> float:
    """Root mean square of both coordinates, without the points that are far off."""
    squares = np.square(off).sum(axis=1)
    return float(np.sqrt(squares[squares <= _FAR**2 * np.median(squares)].mean() / 2))
