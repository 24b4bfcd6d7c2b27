"""Find the circle outside of which a reconstruction is filled with a constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from ImplantSegLib.volumes.volume import Volume

Points = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Circle = tuple[float, float, float]

SLICES = 9
"""Slices looked at: voxels that equal the corners in all of them are filling and not chance."""

TOLERANCE = 1.5
"""Voxels that an outline may deviate from a circle: its own steps and a blurred edge."""

LEAST_FILLING = 0.002
"""Share of a slice that must be filling; a circle that cuts less from the corners is not worth a field of view."""

LEAST_ARC = 0.7
"""Share of the circle inside the image along which the filling must end."""

LEAST_OUTSIDE = 0.995
"""Share of the voxels outside the circle that must be filling."""

_TRIALS = 300
_POINTS = 4000


def find_circle(volume: Volume) -> Circle | None:
    """Find the reconstruction circle of a scan from its grey values.

    Parameters
    ----------
    volume : Volume
        A scan; from labels a circle cannot be found, because their background is constant everywhere.

    Returns
    -------
    tuple of float or None
        Centre (y, x) and radius in index units; None where the corners are no filling, or what
        is filled is not the outside of a circle.
    """
    filling = _joined_to_corners(_filling(volume))
    if not LEAST_FILLING < filling.mean() < 1:
        return None
    outline = _outline(filling)
    circle = _consensus(outline)
    if circle is None:
        return None
    near = outline[np.abs(_off(outline, circle)) < TOLERANCE]
    circle = _fit(near)
    return circle if _holds(circle, near, filling) else None


def _filling(volume: Volume) -> Mask:
    """Voxels (Y, X) that equal a corner of their slice in every slice looked at."""
    filling = np.ones(volume.shape[1:], dtype=bool)
    for z in np.unique(np.linspace(0, volume.shape[0] - 1, SLICES + 2).round().astype(int)[1:-1]):
        plane = np.asarray(volume.array[int(z) : int(z) + 1])[0]
        same = np.isin(plane, plane[[0, 0, -1, -1], [0, -1, 0, -1]])
        if plane.dtype.kind == "f":
            same |= np.isnan(plane)
        if not same.all():  # an empty slice tells nothing
            filling &= same
    return filling


def _joined_to_corners(filling: Mask) -> Mask:
    from scipy import ndimage

    parts, _ = ndimage.label(filling)
    corners = parts[[0, 0, -1, -1], [0, -1, 0, -1]]
    return np.asarray(np.isin(parts, corners[corners > 0]))


def _outline(filling: Mask) -> Points:
    """Points (N, 2), order (y, x), halfway between filling and its neighbours that are none."""
    rows = np.argwhere(filling[:, 1:] != filling[:, :-1]) + np.array([0.0, 0.5])
    columns = np.argwhere(filling[1:] != filling[:-1]) + np.array([0.5, 0.0])
    return np.concatenate([rows, columns])


def _off(points: Points, circle: Circle) -> Points:
    y, x, radius = circle
    return np.hypot(points[:, 0] - y, points[:, 1] - x) - radius


def _consensus(outline: Points) -> Circle | None:
    """Circle through three points that most points lie on: dark tissue at the edge spoils some points, not most."""
    random = np.random.default_rng(0)
    points = random.permutation(outline)[:_POINTS]
    best: Circle | None = None
    most = 0
    for _ in range(_TRIALS if len(points) >= 3 else 0):
        circle = _fit(points[random.choice(len(points), 3, replace=False)])
        count = int((np.abs(_off(points, circle)) < TOLERANCE).sum())
        if count > most:
            best, most = circle, count
    return best


def _fit(points: Points) -> Circle:
    """Least-squares circle (Kåsa, doi:10.1109/TIM.1976.6312298) through points (N, 2)."""
    shift = points.mean(axis=0)
    y, x = (points - shift).T
    solution, *_ = np.linalg.lstsq(np.column_stack([2 * y, 2 * x, np.ones_like(x)]), y**2 + x**2, rcond=None)
    radius = float(np.sqrt(max(solution[2] + solution[0] ** 2 + solution[1] ** 2, 0.0)))
    return float(solution[0] + shift[0]), float(solution[1] + shift[1]), radius


def _holds(circle: Circle, near: Points, filling: Mask) -> bool:
    """Whether the filling is what lies outside the circle, and ends along most of it."""
    centre_y, centre_x, radius = circle
    y, x = np.ogrid[: filling.shape[0], : filling.shape[1]]
    outside = np.hypot(y - centre_y, x - centre_x) > radius + TOLERANCE
    if not outside.any() or filling[outside].mean() < LEAST_OUTSIDE:
        return False
    angles = np.linspace(-np.pi, np.pi, 361)
    middle = (angles[1:] + angles[:-1]) / 2
    on_y, on_x = centre_y + radius * np.sin(middle), centre_x + radius * np.cos(middle)
    inside = (on_y > 1) & (on_y < filling.shape[0] - 2) & (on_x > 1) & (on_x < filling.shape[1] - 2)
    met, _ = np.histogram(np.arctan2(near[:, 0] - centre_y, near[:, 1] - centre_x), angles)
    return bool(inside.any()) and float((met[inside] > 0).mean()) >= LEAST_ARC
