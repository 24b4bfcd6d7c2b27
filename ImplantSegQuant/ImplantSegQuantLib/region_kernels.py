"""What a reference and its residual material amount to in parts of a screw; import late, it needs numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ImplantSegQuantLib.field_kernels import NEAR_VOXELS, at_surface

Array = np.ndarray[Any, Any]


class Layout(NamedTuple):
    """Where the parts of a screw lie, as compiled code wants it; heights run along its axis, in mm."""

    affine: Array
    """Takes a voxel (z, y, x, 1) to (x, y, height, 1) about the axis: float64 (4, 4)."""
    core_radius: float
    head_low: float
    head_high: float
    low: float
    """Height at which the first slice across the axis begins."""
    step: float
    """Thickness of the slices across the axis."""
    slices: int


@njit(nogil=True, cache=True, inline="always")
def region_of(radius: float, height: float, core: float, head_low: float, head_high: float) -> int:
    """0 core, 1 thread, 2 head."""
    if head_low <= height <= head_high:
        return 2
    return 1 if radius > core else 0


@njit(nogil=True, cache=True)
def by_part(distance: Array, labels: Array, inner: tuple[int, int], spacing: Array, layout: Layout) -> Array:
    """Volume and surface of the reference, and residual material, by region and by height.

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Signed distance in mm at the voxel centres.
    labels : uint8, shape (Z, Y, X)
        Labels; from 4 on, a voxel lies outside the field of view.
    inner : tuple of int
        First and last + 1 of the slices of the scan to answer for; the others serve as neighbours.
    spacing : float64, shape (3,)
        Voxel size (z, y, x) in mm.
    layout : Layout
        Where the parts lie, with ``affine`` for the indices of these arrays.

    Returns
    -------
    float64, shape (slices of the scan, 3 + layout.slices, 3)
        For core, thread and head, then for each slice across the axis: volume in voxels, area in mm², and voxels of
        residual material. What is farther than three voxels outside belongs to none.
    """
    _, rows, columns = distance.shape
    a = layout.affine
    near = NEAR_VOXELS * spacing.max()
    result = np.zeros((inner[1] - inner[0], 3 + layout.slices, 3))
    for z in range(inner[0], inner[1]):
        for y in range(rows):
            for x in range(columns):
                here = distance[z, y, x]
                if here > near or labels[z, y, x] > 3:
                    continue
                volume, area = (1.0, 0.0) if here < -near else at_surface(distance, z, y, x, spacing)
                metal = 1.0 if labels[z, y, x] == 1 else 0.0
                across_x = a[0, 0] * z + a[0, 1] * y + a[0, 2] * x + a[0, 3]
                across_y = a[1, 0] * z + a[1, 1] * y + a[1, 2] * x + a[1, 3]
                height = a[2, 0] * z + a[2, 1] * y + a[2, 2] * x + a[2, 3]
                radius = np.sqrt(across_x**2 + across_y**2)
                region = region_of(radius, height, layout.core_radius, layout.head_low, layout.head_high)
                at = min(max(int(np.floor((height - layout.low) / layout.step)), 0), layout.slices - 1)
                for part in (region, 3 + at):
                    result[z - inner[0], part, 0] += volume
                    result[z - inner[0], part, 1] += area
                    result[z - inner[0], part, 2] += metal
    return result
