"""Signed distance on a grid, read at any point by linear interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit

from ImplantSegLib import threads
from ImplantSegQuantLib.interpolation import NO_SURFACE_MM as NO_SURFACE_MM
from ImplantSegQuantLib.interpolation import read

Array = np.ndarray[Any, Any]


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
        from ImplantSegQuantLib.grid_kernels import sample_slices

        affine, spacing = self.index_from_world @ world_from_index, np.array(self.spacing_mm)
        result = np.empty(shape, np.float32)
        threads.each_range(
            lambda low, high: sample_slices(self.values, spacing, self.limits, affine, start + low, result[low:high]),
            0,
            shape[0],
        )
        return result

    def within_grid(
        self, world_from_index: Array, start: int, shape: tuple[int, int, int], distance_mm: float
    ) -> Array:
        """Tell which voxels of another grid are within a signed distance: ``sample_grid(...) <= distance_mm``, bool.

        Blocks of voxels that the surface at that distance cannot reach are decided by their centres: the distance
        rises by no more than :attr:`steepness` per mm.
        """
        from ImplantSegQuantLib.grid_kernels import within_slices

        affine, spacing = self.index_from_world @ world_from_index, np.array(self.spacing_mm)
        limit, result = np.float32(distance_mm), np.empty(shape, np.bool_)
        threads.each_range(
            lambda low, high: within_slices(
                self.values, (spacing, self.limits, affine), start + low, (limit, self.steepness), result[low:high]
            ),
            0,
            shape[0],
        )
        return result

    @cached_property
    def steepness(self) -> float:
        """How much the interpolated distance changes per mm at most, to be on the safe side: at least √3."""
        from ImplantSegQuantLib.grid_kernels import largest_steps

        depth = self.values.shape[0]
        steps = np.max(threads.each_range(lambda low, high: largest_steps(self.values, low, high), 0, depth), axis=0)
        return float(np.linalg.norm(np.maximum(steps / self.spacing_mm, 1.0)))

    def rigid_cost(self, points_mm: Array, matrix: Array, scale_mm: float) -> float:
        """Mean Geman–McClure cost r²/(r² + scale²) of points (N, 3) moved by a matrix (4, 4); 0 perfect, 1 worst."""
        affine = self.index_from_world @ matrix
        return float(_cost(self.values, np.array(self.spacing_mm), self.limits, affine, points_mm, scale_mm))


@njit(nogil=True, cache=True, fastmath=True)
def _sample(values: Array, spacing: Array, limits: Array, affine: Array, points: Array) -> Array:
    result = np.empty(points.shape[0], np.float32)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        k = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3]
        j = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3]
        h = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3]
        result[i] = read(values, spacing, limits, k, j, h)
    return result


@njit(nogil=True, cache=True, fastmath=True)
def _cost(values: Array, spacing: Array, limits: Array, affine: Array, points: Array, scale: float) -> float:
    total = 0.0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        k = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] * z + affine[0, 3]
        j = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] * z + affine[1, 3]
        h = affine[2, 0] * x + affine[2, 1] * y + affine[2, 2] * z + affine[2, 3]
        square = read(values, spacing, limits, k, j, h) ** 2
        total += square / (square + scale * scale)
    return total / max(points.shape[0], 1)


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
        distance[i] = read(values, spacing, limits, z, y, x)
        # central differences over one node distance: smoother than the derivative inside one cell
        dz = read(values, spacing, limits, z + 0.5, y, x) - read(values, spacing, limits, z - 0.5, y, x)
        dy = read(values, spacing, limits, z, y + 0.5, x) - read(values, spacing, limits, z, y - 0.5, x)
        dx = read(values, spacing, limits, z, y, x + 0.5) - read(values, spacing, limits, z, y, x - 0.5)
        for axis in range(3):
            gradient[i, axis] = affine[0, axis] * dz + affine[1, axis] * dy + affine[2, axis] * dx
    return distance, gradient
