"""The regions of a screw: its head, its thread, the core that the thread is wound on, and which end is the tip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegQuantLib.axis import SAME_AXIS_DEG, Axis, axis_of, frame
from ImplantSegQuantLib.surface import surface_points

if TYPE_CHECKING:
    from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

NAMES = ("core", "thread", "head")

ANGLES = 24
"""Sectors in which the outline of the screw is looked at."""

HEIGHT_MM = 0.1
"""Slices across the axis in which it is looked at."""

LEAST_THREAD_MM = 0.1
"""A section is threaded when its outline is farther from round than this."""

LEAST_SHARE = 0.1
"""A screw is threaded when this share of its length is."""

ROOT_SHARE = 0.15
"""Share of the thread's depth that is left to the core, so that the surface at the thread's root is the core's."""

WHOLE = 1e8
"""A limit of a distance field as far out as this is none: the reference is not cut off."""

SLIM = 2.0
"""How much larger the variance of a reference along its axis is than across, for its moments to tell the axis."""

END_SHARE = 0.1
"""Share of a screw's length at either end whose widths tell the tip from the other end."""


class Regions(NamedTuple):
    """Where the regions of a screw lie."""

    frame: Array
    """Takes the world of the scan to (x, y, height) about the axis of the screw, in mm: float64 (4, 4). The height
    rises from the tip, where that is known."""
    core_radius_mm: float
    """Distance from the axis that parts the core from the thread."""
    head_mm: tuple[float, float]
    """Lowest and highest height of the head; (inf, inf) where there is none."""
    ends_mm: tuple[float, float] = (-np.inf, np.inf)
    """Lowest and highest height of the screw."""
    thread_mm: tuple[float, float] = (-np.inf, np.inf)
    """Lowest and highest height of the thread."""
    crest_radius_mm: float = np.inf
    """Distance from the axis half-way between root and crest of the thread."""
    tip_known: bool = True
    """Whether the two ends could be told apart."""

    def of(self, points_mm: Array) -> Array:
        """Tell the regions of points (N, 3), (x, y, z) of the scan's world, as numbers in ``NAMES``: uint8 (N,)."""
        x, y, height = (points_mm @ self.frame[:3, :3].T + self.frame[:3, 3]).T
        result = (np.hypot(x, y) > self.core_radius_mm).astype(np.uint8)
        result[(height >= self.head_mm[0]) & (height <= self.head_mm[1])] = NAMES.index("head")
        return result


def regions_of(field: DistanceField, pose_matrix: Array) -> Regions | None:
    """Find the regions of a screw from its outline, seen along the axis in sectors.

    At every height the outline has a narrowest and a widest sector. Where they differ there is a thread: the median of
    the narrowest is the radius at the thread's root, that of the widest the radius of the thread. The core ends a
    little outside the root. The head is where even the narrowest sector is wider than the thread, to the end of the
    screw on that side.

    Parameters
    ----------
    field : DistanceField
        The reference.
    pose_matrix : float64, shape (4, 4)
        From the scan to the reference.

    Returns
    -------
    Regions or None
        None when the reference has no thread.
    """
    points = surface_points(field)
    about_axis = frame(_axis(field, points))
    outline = _outline(points, about_axis)
    ways = _tip_below(outline)
    if ways is False:
        about_axis = np.diag([1.0, -1.0, -1.0, 1.0]) @ about_axis
        outline = _outline(points, about_axis)
    threaded = outline.wide - outline.narrow > LEAST_THREAD_MM
    if not threaded.any() or threaded.mean() < LEAST_SHARE:
        return None
    root, thread = float(np.median(outline.narrow[threaded])), float(np.median(outline.wide[threaded]))
    half = (root + thread) / 2
    full = outline.middle[threaded & (outline.wide > half) & (outline.narrow < half)]
    return Regions(
        about_axis @ pose_matrix,
        root + ROOT_SHARE * (thread - root),
        _head(outline, thread),
        outline.ends,
        (float(full.min()) - HEIGHT_MM / 2, float(full.max()) + HEIGHT_MM / 2),
        half,
        ways is not None,
    )


def axis_from_tip(field: DistanceField) -> Axis:
    """Axis of a reference; that of a screw begins at its tip and runs towards the head, where they are known."""
    regions = regions_of(field, np.eye(4))
    if regions is None:
        return _axis(field, surface_points(field))
    world = np.linalg.inv(regions.frame)
    return Axis(world[:3, 3] + regions.ends_mm[0] * world[:3, 2], world[:3, 2])


def _axis(field: DistanceField, points: Array) -> Axis:
    """Axis of a reference; where it is whole and slim, that of its volume, which the thread sways less.

    On a screw of 16 mm the cylinder that fits the surface is 0.9° off, the axis of the volume 0.07°.
    """
    axis = axis_of(field, points)
    if np.abs(field.limits).min() < WHOLE:
        return axis
    nodes = np.argwhere(field.values[::2, ::2, ::2] < 0) * 2.0
    world = np.linalg.inv(field.index_from_world)
    inside = nodes @ world[:3, :3].T + world[:3, 3]
    moments, directions = np.linalg.eigh(np.cov(inside.T))
    direction = directions[:, 2] * np.sign(directions[:, 2] @ axis.direction)
    slim = moments[2] > SLIM * moments[1]
    near = direction @ axis.direction > np.cos(np.radians(SAME_AXIS_DEG))
    return Axis(inside.mean(axis=0), direction) if slim and near else axis


class _Outline(NamedTuple):
    narrow: Array
    """Radius of the narrowest sector in every full slice."""
    wide: Array
    """Radius of the widest."""
    middle: Array
    """Height of the slice's middle."""
    ends: tuple[float, float]
    """Lowest and highest height of all."""


def _tip_below(outline: _Outline) -> bool | None:
    """Whether the narrower end of a screw is the lower one; None where the ends are as wide as each other."""
    count = max(1, round(END_SHARE * len(outline.wide)))
    below, above = float(outline.wide[:count].mean()), float(outline.wide[-count:].mean())
    return None if abs(below - above) < LEAST_THREAD_MM else below < above


def _head(outline: _Outline, thread: float) -> tuple[float, float]:
    head = outline.middle[outline.narrow > thread]
    if not head.size:
        return np.inf, np.inf
    if head.mean() > np.median(outline.middle):
        return float(head.min()) - HEIGHT_MM / 2, np.inf
    return -np.inf, float(head.max()) + HEIGHT_MM / 2


def _outline(points: Array, about_axis: Array) -> _Outline:
    """Look at points (N, 3) of the surface in slices across the axis, in sectors about it."""
    x, y, height = (points @ about_axis[:3, :3].T + about_axis[:3, 3]).T
    radius, angle, low = np.hypot(x, y), np.arctan2(y, x), float(height.min())
    slices = ((height - low) / HEIGHT_MM).astype(int)
    sectors = ((angle + np.pi) / (2 * np.pi) * ANGLES).astype(int) % ANGLES
    outline = np.full((slices.max() + 1, ANGLES), -np.inf)
    np.maximum.at(outline, (slices, sectors), radius)
    full = np.isfinite(outline).all(axis=1)
    middle = low + HEIGHT_MM * (np.arange(len(outline)) + 0.5)
    ends = low, float(height.max())
    return _Outline(outline[full].min(axis=1), outline[full].max(axis=1), middle[full], ends)
