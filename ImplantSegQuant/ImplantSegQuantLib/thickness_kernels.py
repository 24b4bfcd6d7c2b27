"""Voxel kernels of the local thickness; import late, they need numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(nogil=True, cache=True)
def majority(labels: Array, factor: int, ends: tuple[int, int], classes: Array) -> None:
    """Give blocks of ``factor``³ voxels the class of most of their voxels: 1 the layer, 2 unknown, 0 other.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels, 254 where nothing is known.
    factor : int
        Edge of a block.
    ends : tuple of int
        First and last + 1 of the slices of ``classes`` to fill; half of a block is enough for the layer.
    classes : uint8, shape (Z, Y, X)
        Filled.
    """
    half = 0.5 * factor**3
    for z in range(ends[0], ends[1]):
        for y in range(classes.shape[1]):
            for x in range(classes.shape[2]):
                layer = unknown = 0
                for k in range(factor):
                    for j in range(factor):
                        for i in range(factor):
                            label = labels[z * factor + k, y * factor + j, x * factor + i]
                            layer += label == 2
                            unknown += label == 254
                classes[z, y, x] = 1 if layer >= half else (2 if unknown >= half else 0)


@njit(nogil=True, cache=True)
def ridge(distance: Array, steps: Array, ends: tuple[int, int]) -> Array:
    """Find the voxels whose sphere no neighbour's sphere contains: int32 (N, 3), (z, y, x).

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Radius of the largest sphere round every voxel; 0 outside.
    steps : float64, shape (26, 4)
        Neighbours (z, y, x) and by how much their spheres must be larger to contain this one.
    ends : tuple of int
        First and last + 1 of the slices to look at.
    """
    depth, height, width = distance.shape
    result = np.empty((64, 3), np.int32)
    count = 0
    for z in range(ends[0], ends[1]):
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
                if contained:
                    continue
                if count == len(result):
                    longer = np.empty((2 * count, 3), np.int32)
                    longer[:count] = result
                    result = longer
                result[count, 0], result[count, 1], result[count, 2] = z, y, x
                count += 1
    return result[:count].copy()


@njit(nogil=True, cache=True)
def paint(distance: Array, centres: Array, spacing: Array, ends: tuple[int, int], thickness: Array) -> None:
    """Give every voxel the radius of the largest of the spheres that cover it.

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Radius of the sphere round every voxel.
    centres : int32, shape (N, 3)
        Voxels whose spheres are painted.
    spacing : float64, shape (3,)
        Voxel size, in the unit of the distance.
    ends : tuple of int
        First and last + 1 of the slices to paint in.
    thickness : float32, shape (Z, Y, X)
        Added to by maximum.
    """
    _, height, width = thickness.shape
    for n in range(len(centres)):
        z, y, x = int(centres[n, 0]), int(centres[n, 1]), int(centres[n, 2])
        radius = distance[z, y, x]
        reach = radius * (1.0 - 1e-6)  # what touches the sphere from outside is not covered
        reach_z = int(reach / spacing[0])
        for k in range(max(ends[0], z - reach_z), min(ends[1], z + reach_z + 1)):
            rest_z = reach**2 - ((k - z) * spacing[0]) ** 2
            reach_y = int(np.sqrt(max(rest_z, 0.0)) / spacing[1])
            for j in range(max(0, y - reach_y), min(height, y + reach_y + 1)):
                rest_y = rest_z - ((j - y) * spacing[1]) ** 2
                reach_x = int(np.sqrt(max(rest_y, 0.0)) / spacing[2])
                row = thickness[k, j, max(0, x - reach_x) : min(width, x + reach_x + 1)]
                for i in range(row.size):
                    row[i] = max(row[i], radius)
