"""Voxel kernel of the local thickness; import late, it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(nogil=True, cache=True)
def ridge(distance: Array, steps: Array) -> Array:
    """Tell which voxels have a sphere that no neighbour's sphere contains, bool (Z, Y, X).

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Radius of the largest sphere round every voxel; 0 outside.
    steps : float64, shape (26, 4)
        Neighbours (z, y, x) and by how much their spheres must be larger to contain this one.
    """
    depth, height, width = distance.shape
    result = np.zeros(distance.shape, np.bool_)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                radius = distance[z, y, x]
                if radius <= 0.0:
                    continue
                contained = False
                for step in steps:
                    k, j, i = z + int(step[0]), y + int(step[1]), x + int(step[2])
                    if 0 <= k < depth and 0 <= j < height and 0 <= i < width:
                        contained |= distance[k, j, i] >= radius + step[3]
                result[z, y, x] = not contained
    return result


@njit(nogil=True, cache=True)
def paint(distance: Array, centres: Array, spacing: Array, thickness: Array) -> None:
    """Give every voxel the radius of the largest of the spheres that cover it.

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Radius of the sphere round every voxel.
    centres : int64, shape (N, 3)
        Voxels whose spheres are painted.
    spacing : float64, shape (3,)
        Voxel size, in the unit of the distance.
    thickness : float32, shape (Z, Y, X)
        Added to by maximum.
    """
    depth, height, width = thickness.shape
    for centre in centres:
        z, y, x = centre
        radius = distance[z, y, x]
        reach = radius * (1.0 - 1e-6)  # what touches the sphere from outside is not covered
        reach_z = int(reach / spacing[0])
        for k in range(max(0, z - reach_z), min(depth, z + reach_z + 1)):
            rest_z = reach**2 - ((k - z) * spacing[0]) ** 2
            reach_y = int(np.sqrt(max(rest_z, 0.0)) / spacing[1])
            for j in range(max(0, y - reach_y), min(height, y + reach_y + 1)):
                rest_y = rest_z - ((j - y) * spacing[1]) ** 2
                reach_x = int(np.sqrt(max(rest_y, 0.0)) / spacing[2])
                row = thickness[k, j, max(0, x - reach_x) : min(width, x + reach_x + 1)]
                for i in range(row.size):
                    row[i] = max(row[i], radius)
