"""Corrosion and bone contact by flank of a screw's thread: towards the tip, towards the head, crest and root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegQuantLib.contact import percent
from ImplantSegQuantLib.degradation import years
from ImplantSegQuantLib.mesh_file import Surface
from ImplantSegQuantLib.regions import Regions

if TYPE_CHECKING:
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference

Array = np.ndarray[Any, Any]

SIDES = ("leading_flank", "trailing_flank", "crest", "root")
"""Towards the tip, towards the head, outermost, and innermost, in the order of their numbers."""

NOWHERE = len(SIDES)
"""What is no side of the thread: the head, the ends."""

FLANK_DEGREES = 30.0
"""A flank's normal is turned by more than this out of the plane across the axis; those of crest and root by less."""

FAR_MM = 0.3
"""Faces of the implant farther than this from the reference belong to no side: which one they left is not known."""


def sides(reference: Reference, pose: Pose, regions: Regions, points_mm: Array) -> Array:
    """Tell on which side of the thread the surface of the reference lies nearest to points.

    Parameters
    ----------
    reference : Reference
        The screw.
    pose : Pose
        From the scan to the reference.
    regions : Regions
        Where its thread is; the heights rise from the tip.
    points_mm : float, shape (N, 3)
        Points (x, y, z) of the scan's world, on the surface or near it.

    Returns
    -------
    uint8, shape (N,)
        Numbers in :data:`SIDES`, :data:`NOWHERE` beyond the thread.
    """
    feet, normals = _feet(reference, pose.apply(points_mm))
    axis = regions.frame[2, :3] @ np.linalg.inv(pose.matrix)[:3, :3]  # towards the head, in the reference's world
    turn = np.degrees(np.arcsin(np.clip(normals @ axis, -1, 1)))
    x, y, height = (pose.inverse().apply(feet) @ regions.frame[:3, :3].T + regions.frame[:3, 3]).T
    radius = np.hypot(x, y)
    result = np.where(radius > regions.crest_radius_mm, SIDES.index("crest"), SIDES.index("root")).astype(np.uint8)
    result[turn < -FLANK_DEGREES] = SIDES.index("leading_flank")
    result[turn > FLANK_DEGREES] = SIDES.index("trailing_flank")
    threaded = (height >= regions.thread_mm[0]) & (height <= regions.thread_mm[1])
    head = (height >= regions.head_mm[0]) & (height <= regions.head_mm[1])
    result[~threaded | head] = NOWHERE
    return result


def _feet(reference: Reference, points: Array) -> tuple[Array, Array]:
    """Points of the surface nearest to others in the reference's world, and the outward unit normals (N, 3) there."""
    for _ in range(3):  # a step along the gradient leads nearly there; the next ones mend what it has missed
        distance, gradient = reference.field.sample_with_gradient(points)
        square = np.maximum((gradient**2).sum(axis=1), 0.25)  # at a ridge the gradient is short and leads nowhere
        points = points - np.where(np.abs(distance) < 2 * FAR_MM, distance / square, 0)[:, None] * gradient
    normals = reference.field.sample_with_gradient(points)[1]
    return points, normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)[:, None]


class Weighted(NamedTuple):
    """Places on a surface, the side of the thread that each lies on, its area and a number there."""

    side: Array
    area_mm2: Array
    value: Array

    def mean(self, number: int) -> float | None:
        """Mean of the number over one side; None where there is none of it."""
        here = self.side == number
        return float(np.average(self.value[here], weights=self.area_mm2[here])) if self.area(number) > 0 else None

    def area(self, number: int) -> float:
        """Area of one side in mm²."""
        return float(self.area_mm2[self.side == number].sum())


def degradation_by_flank(depth: Weighted, contact: Weighted | None, weeks: float) -> dict[str, dict[str, float | None]]:
    """Corrosion depth, recession rate and bone contact by side of the thread.

    Parameters
    ----------
    depth : Weighted
        Corrosion depth in µm on the reference's surface in the field of view; NaN where there is no metal.
    contact : Weighted or None
        1 for faces of the implant to bone, 0 for those to background.
    weeks : float
        Healing time.

    Returns
    -------
    dict
        By side ``reference_surface_mm2``, ``corrosion_depth_um``, ``recession_rate_mm_per_year`` and
        ``bone_implant_contact_percent``; None where undefined. Sides outside the field of view are absent.
    """
    result = {}
    for number, name in enumerate(SIDES):
        if not depth.area(number) > 0:
            continue
        depth_um = depth.mean(number)
        known = depth_um is not None and np.isfinite(depth_um)
        bone = None if contact is None else contact.mean(number)
        result[name] = {
            "reference_surface_mm2": depth.area(number),
            "corrosion_depth_um": depth_um if known else None,
            "recession_rate_mm_per_year": depth_um / 1000 / years(weeks) if depth_um is not None and known else None,
            "bone_implant_contact_percent": None if bone is None else percent(bone, 1.0),
        }
    return result


def depth_on(surface: Surface, reference: Reference, pose: Pose, regions: Regions) -> Weighted:
    """Corrosion depth on the triangles of ``reference.vtp`` whose corners are all in the field of view."""
    corners = surface.cells[(surface.point_data["inside_fov"][surface.cells] == 1).all(axis=1)]
    depths = surface.point_data.get("corrosion_depth_um", np.full(len(surface.points_mm), np.nan))
    return _weighted(surface, corners, depths[corners].mean(axis=1), (reference, pose, regions))


def contact_on(surface: Surface, reference: Reference, pose: Pose, regions: Regions) -> Weighted:
    """Bone contact on the faces of ``contact.vtp`` near the reference."""
    weighted = _weighted(surface, surface.cells, surface.cell_data["contact"], (reference, pose, regions))
    middles = surface.points_mm[surface.cells].mean(axis=1).astype(float)
    far = np.abs(reference.distance(pose.apply(middles))) > FAR_MM
    return weighted._replace(side=np.where(far, np.uint8(NOWHERE), weighted.side))


def _weighted(surface: Surface, cells: Array, values: Array, where: tuple[Reference, Pose, Regions]) -> Weighted:
    points = surface.points_mm.astype(float)[cells]
    areas = np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, -1] - points[:, 0]), axis=1)
    if cells.shape[1] == 3:
        areas = areas / 2
    reference, pose, regions = where
    return Weighted(sides(reference, pose, regions, points.mean(axis=1)), areas, values.astype(float))
