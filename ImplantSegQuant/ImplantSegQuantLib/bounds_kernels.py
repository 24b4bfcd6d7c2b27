"""Area of the surfaces between labels, without the staircase of voxel faces; import late, they need numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

REACH = 3
"""Voxels on either side of a face that tell its normal."""

_WIDTH = 1.2
"""Standard deviation in voxels of the Gaussian that weights them."""

METAL, LAYER, TISSUE = range(3)
"""Columns of :func:`areas`."""


@njit(nogil=True, cache=True, inline="always")
def _side(label: int, surface: int) -> float:
    """Which side of a surface a label is on: 0.5, -0.5, or 0 where it says nothing."""
    if label > 3 or (surface == TISSUE and (label == 1 or label == 2)):
        return 0.0
    return 0.5 if label == (1, 2, 3)[surface] else -0.5


@njit(nogil=True, cache=True)
def _cosine(labels: Array, at: tuple[int, int, int], axis: int, surface: int, spacing: Array) -> float:
    """Cosine between a face to the lower neighbour along an axis and the surface there.

    The surface's normal is the gradient of its indicator: first moments under a Gaussian about the face's centre.
    """
    depth, height, width = labels.shape
    moment = np.zeros(3)
    low = np.array([-REACH, -REACH, -REACH])
    low[axis] -= 1
    for k in range(max(low[0], -at[0]), min(REACH, depth - 1 - at[0]) + 1):
        for j in range(max(low[1], -at[1]), min(REACH, height - 1 - at[1]) + 1):
            for i in range(max(low[2], -at[2]), min(REACH, width - 1 - at[2]) + 1):
                side = _side(labels[at[0] + k, at[1] + j, at[2] + i], surface)
                if side == 0.0:
                    continue
                z = k + 0.5 if axis == 0 else float(k)
                y = j + 0.5 if axis == 1 else float(j)
                x = i + 0.5 if axis == 2 else float(i)
                weight = side * math.exp(-(z * z + y * y + x * x) / (2.0 * _WIDTH * _WIDTH))
                moment[0] += weight * z
                moment[1] += weight * y
                moment[2] += weight * x
    square = (moment[0] / spacing[0]) ** 2 + (moment[1] / spacing[1]) ** 2 + (moment[2] / spacing[2]) ** 2
    return abs(moment[axis]) / spacing[axis] / math.sqrt(square) if square > 0.0 else 1.0


@njit(nogil=True, cache=True)
def areas(labels: Array, in_roi: Array, spacing: Array, inner: tuple[int, int]) -> Array:
    """Area of three surfaces, slice by slice: faces × their area × the cosine between face and surface.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; values from 4 on do not exist. Up to four slices beyond the inner ones serve as neighbours.
    in_roi : bool, shape (Z, Y, X)
        The region of interest.
    spacing : float64, shape (3,)
        Voxel size (z, y, x) in mm.
    inner : tuple of int
        First and last + 1 of the slices to answer for: the faces to their lower neighbours.

    Returns
    -------
    float64, shape (slices, 3)
        Area in mm² of the residual material, of the degradation layer, and between bone and background in the region.
    """
    _, height, width = labels.shape
    result = np.zeros((inner[1] - inner[0], 3))
    voxel = spacing[0] * spacing[1] * spacing[2]
    for z in range(inner[0], inner[1]):
        for y in range(height):
            for x in range(width):
                own = labels[z, y, x]
                if own > 3:
                    continue
                here = (z, y, x)
                for axis in range(3):
                    if here[axis] == 0:
                        continue
                    there = (z - int(axis == 0), y - int(axis == 1), x - int(axis == 2))
                    other = labels[there]
                    if other == own or other > 3:
                        continue
                    for surface in range(3):
                        if surface == TISSUE:
                            if own + other != 3 or own * other != 0 or not (in_roi[here] and in_roi[there]):
                                continue
                        elif own != surface + 1 and other != surface + 1:
                            continue
                        cosine = _cosine(labels, here, axis, surface, spacing)
                        result[z - inner[0], surface] += cosine * voxel / spacing[axis]
    return result
