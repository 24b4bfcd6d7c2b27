"""The compiled part of :mod:`ImplantSegQuantLib.search`; import late, it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(nogil=True, cache=True)
def grid_costs(values: Array, points: Array, angles: Array, heights: Array, affine: Array, scale: float) -> Array:
    """Mean Geman–McClure cost at every height and angle, with the distance at the nearest node.

    Parameters
    ----------
    values : float32, shape (Z, Y, X)
        Signed distance at the nodes, in mm.
    points : float64, shape (N, 3)
        Points (x, y, z) in the frame of the scan's axis.
    angles, heights : float64, shapes (A,) and (H,)
        Turns about the axis, in radians, and shifts along it, in mm.
    affine : float64, shape (4, 4)
        Takes the frame of the reference's axis (x, y, z, 1) to a node (z, y, x, 1).
    scale : float
        Distance at which the cost is one half; it is 1 outside the nodes.

    Returns
    -------
    float64, shape (H, A)
        Costs in [0, 1].
    """
    depth, rows, columns = values.shape
    costs = np.zeros((len(heights), len(angles)))
    square = scale * scale
    for a in range(len(angles)):
        cos, sin = np.cos(angles[a]), np.sin(angles[a])
        for n in range(len(points)):
            x = cos * points[n, 0] - sin * points[n, 1]
            y = sin * points[n, 0] + cos * points[n, 1]
            z = points[n, 2]
            # half a node more, so that cutting off the fraction rounds
            k0 = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3] + 0.5
            j0 = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3] + 0.5
            i0 = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3] + 0.5
            for h in range(len(heights)):
                k = int(np.floor(k0 + affine[0, 2] * heights[h]))
                j = int(np.floor(j0 + affine[1, 2] * heights[h]))
                i = int(np.floor(i0 + affine[2, 2] * heights[h]))
                if 0 <= k < depth and 0 <= j < rows and 0 <= i < columns:
                    distance = float(values[k, j, i])
                    costs[h, a] += distance * distance / (distance * distance + square)
                else:
                    costs[h, a] += 1.0
    return costs / max(len(points), 1)
