"""Signed distance on a grid, read at any point by linear interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

NO_SURFACE_MM = 1000.0
"""Distance told beyond an end where the reference itself is cut off: neither implant nor region of interest."""


@dataclass(frozen=True)
class DistanceField:
    """A signed distance sampled on a grid.

    Parameters
    ----------
    values : float32, shape (Z, Y, X)
        Signed distance at the nodes in mm, negative inside.
    spacing_mm : tuple of float
        Distance of nodes along (z, y, x) in mm.
    index_from_world : float64, shape (4, 4)
        Takes a world point (x, y, z, 1) in mm to a node index (z, y, x, 1).
    limits : float64, shape (3, 2)
        Lowest and highest index along (z, y, x) at which anything is known; ±1e9 where the surface closes.
    """

    values: Array
    spacing_mm: tuple[float, float, float]
    index_from_world: Array
    limits: Array

    def sample(self, points_mm: Array) -> Array:
        """Signed distance in mm at world points (N, 3), order (x, y, z), as float32 (N,)."""
        points = np.ascontiguousarray(points_mm, dtype=np.float64)
        return _sample(self.values, np.array(self.spacing_mm), self.limits, self.index_from_world, points)

    def sample_with_gradient(self, points_mm: Array) -> tuple[Array, Array]:
        """Signed distance (N,) and its gradient (N, 3) along (x, y, z) at world points (N, 3), as float64."""
        points = np.ascontiguousarray(points_mm, dtype=np.float64)
        return _sample_with_gradient(self.values, np.array(self.spacing_mm), self.limits, self.index_from_world, points)

    def sample_grid(self, world_from_index: Array, start: int, shape: tuple[int, int, int]) -> Array:
        """Signed distance at the voxels of another grid.

        Parameters
        ----------
        world_from_index : float64, shape (4, 4)
            Takes an index (z, y, x, 1) of the other grid to a point (x, y, z, 1) of this field's world.
        start : int
            First slice.
        shape : tuple of int
            Slices, rows and columns to sample.

        Returns
        -------
        float32, shape ``shape``
            Signed distance in mm.
        """
        affine = self.index_from_world @ world_from_index
        return _sample_grid(self.values, np.array(self.spacing_mm), self.limits, affine, (start, *shape))

    def rigid_cost(self, points_mm: Array, matrix: Array, scale_mm: float) -> float:
        """Mean Geman–McClure cost r²/(r² + scale²) of points (N, 3) moved by a matrix (4, 4); 0 perfect, 1 worst."""
        affine = self.index_from_world @ matrix
        return float(_cost(self.values, np.array(self.spacing_mm), self.limits, affine, points_mm, scale_mm))


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _locate(index: float, count: int) -> tuple[int, float, float]:
    """Cell, fraction inside it, and how far the index lies beyond the grid."""
    inside = min(max(index, 0.0), count - 1.0)
    cell = min(int(inside), count - 2)
    return cell, inside - cell, index - inside


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _read(values: Array, spacing: Array, limits: Array, z: float, y: float, x: float) -> float:
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


@njit(nogil=True, cache=True, fastmath=True)
def _sample(values: Array, spacing: Array, limits: Array, affine: Array, points: Array) -> Array:
    result = np.empty(points.shape[0], np.float32)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        k = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3]
        j = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3]
        h = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3]
        result[i] = _read(values, spacing, limits, k, j, h)
    return result


@njit(nogil=True, cache=True, fastmath=True)
def _cost(values: Array, spacing: Array, limits: Array, affine: Array, points: Array, scale: float) -> float:
    total = 0.0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        k = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3]
        j = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3]
        h = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3]
        square = _read(values, spacing, limits, k, j, h) ** 2
        total += square / (square + scale * scale)
    return total / max(points.shape[0], 1)


@njit(nogil=True, cache=True, fastmath=True)
def _sample_grid(values: Array, spacing: Array, limits: Array, affine: Array, block: tuple[int, ...]) -> Array:
    start, depth, rows, columns = block
    result = np.empty((depth, rows, columns), np.float32)
    for k in range(depth):
        for j in range(rows):
            z = affine[0, 0] * (start + k) + affine[0, 1] * j + affine[0, 3]
            y = affine[1, 0] * (start + k) + affine[1, 1] * j + affine[1, 3]
            x = affine[2, 0] * (start + k) + affine[2, 1] * j + affine[2, 3]
            for i in range(columns):
                result[k, j, i] = _read(
                    values, spacing, limits, z + affine[0, 2] * i, y + affine[1, 2] * i, x + affine[2, 2] * i
                )
    return result


@njit(nogil=True, cache=True, fastmath=True)
def _sample_with_gradient(
    values: Array, spacing: Array, limits: Array, affine: Array, points: Array
) -> tuple[Array, Array]:
    distance = np.empty(points.shape[0])
    gradient = np.empty((points.shape[0], 3))
    for i in range(points.shape[0]):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        z = affine[0, 0] * px + affine[0, 1] * py + affine[0, 2] * pz + affine[0, 3]
        y = affine[1, 0] * px + affine[1, 1] * py + affine[1, 2] * pz + affine[1, 3]
        x = affine[2, 0] * px + affine[2, 1] * py + affine[2, 2] * pz + affine[2, 3]
        distance[i] = _read(values, spacing, limits, z, y, x)
        # central differences over one node distance: smoother than the derivative inside one cell
        dz = _read(values, spacing, limits, z + 0.5, y, x) - _read(values, spacing, limits, z - 0.5, y, x)
        dy = _read(values, spacing, limits, z, y + 0.5, x) - _read(values, spacing, limits, z, y - 0.5, x)
        dx = _read(values, spacing, limits, z, y, x + 0.5) - _read(values, spacing, limits, z, y, x - 0.5)
        for axis in range(3):
            gradient[i, axis] = affine[0, axis] * dz + affine[1, axis] * dy + affine[2, axis] * dx
    return distance, gradient
