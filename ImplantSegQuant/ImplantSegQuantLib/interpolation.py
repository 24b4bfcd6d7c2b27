"""Linear interpolation between the nodes of a distance field; import late, it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

NO_SURFACE_MM = 1000.0
"""Distance told beyond an end where the reference itself is cut off: neither implant nor region of interest."""


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _locate(index: float, count: int) -> tuple[int, float, float]:
    """Cell, fraction inside it, and how far the index lies beyond the grid."""
    inside = min(max(index, 0.0), count - 1.0)
    cell = min(int(inside), count - 2)
    return cell, inside - cell, index - inside


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def read(values: Array, spacing: Array, limits: Array, z: float, y: float, x: float) -> float:
    """Signed distance in mm at an index (z, y, x) of the nodes; beyond them, it rises by the way to the nearest."""
    if (
        z < limits[0, 0]
        or z > limits[0, 1]
        or y < limits[1, 0]
        or y > limits[1, 1]
        or x < limits[2, 0]
        or x > limits[2, 1]
    ):
        return NO_SURFACE_MM
    iz, fz, ez = _locate(z, values.shape[0])
    iy, fy, ey = _locate(y, values.shape[1])
    ix, fx, ex = _locate(x, values.shape[2])
    v00 = values[iz, iy, ix] + fx * (values[iz, iy, ix + 1] - values[iz, iy, ix])
    v01 = values[iz, iy + 1, ix] + fx * (values[iz, iy + 1, ix + 1] - values[iz, iy + 1, ix])
    v10 = values[iz + 1, iy, ix] + fx * (values[iz + 1, iy, ix + 1] - values[iz + 1, iy, ix])
    v11 = values[iz + 1, iy + 1, ix] + fx * (values[iz + 1, iy + 1, ix + 1] - values[iz + 1, iy + 1, ix])
    v0 = v00 + fy * (v01 - v00)
    v1 = v10 + fy * (v11 - v10)
    result = v0 + fz * (v1 - v0)
    beyond = (ez * spacing[0]) ** 2 + (ey * spacing[1]) ** 2 + (ex * spacing[2]) ** 2
    return result + np.sqrt(beyond) if beyond > 0.0 else result
