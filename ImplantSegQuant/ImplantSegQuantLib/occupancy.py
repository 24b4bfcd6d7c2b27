"""Which share of a coarser voxel a label fills: read slab by slab, so that no scan is too large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib.volumes import Volume

Array = np.ndarray[Any, Any]
Chosen = Callable[[Array, slice], Array]

SLAB_SLICES = 32
"""Slices read at a time."""


@dataclass(frozen=True)
class Blocks:
    """A coarser grid over a volume: node i along an axis averages voxels start + i·factor … + factor − 1.

    Parameters
    ----------
    factor : int
        Voxels per node along each axis.
    start, count : tuple of int
        First voxel (it may lie outside the volume) and number of nodes along (z, y, x).
    continued : bool array, shape (3, 2)
        Whether the volume is continued beyond its (first, last) face along (z, y, x) by its border voxels;
        elsewhere there is nothing outside.
    """

    factor: int
    start: tuple[int, int, int]
    count: tuple[int, int, int]
    continued: Array

    def spacing_mm(self, volume: Volume) -> tuple[float, float, float]:
        """Distance of the nodes along (z, y, x)."""
        z, y, x = (self.factor * step for step in volume.spacing_mm)
        return z, y, x

    def world_from_index(self, volume: Volume) -> Array:
        """Affine 4×4 from a node (z, y, x, 1) to the world (x, y, z, 1)."""
        voxel_from_node = np.diag([self.factor] * 3 + [1]).astype(float)
        voxel_from_node[:3, 3] = np.array(self.start) + (self.factor - 1) / 2
        return np.asarray(volume.index_to_world @ voxel_from_node)

    def node_of_face(self, shape: tuple[int, int, int]) -> Array:
        """Node indices (3, 2) of the volume's outer faces: half a voxel beyond the first and last centre."""
        faces = np.stack([np.full(3, -0.5), np.array(shape) - 0.5], axis=1)
        return (faces - np.array(self.start)[:, None] - (self.factor - 1) / 2) / self.factor


def whole(volume: Volume, factor: int) -> Blocks:
    """Blocks that cover a volume; the last ones are filled up with the border voxels."""
    z, y, x = (-(-n // factor) for n in volume.shape)
    return Blocks(factor, (0, 0, 0), (z, y, x), np.ones((3, 2), bool))


def occupancy(volume: Volume, blocks: Blocks, chosen: Chosen) -> Array:
    """Share of each node's voxels that are chosen.

    Parameters
    ----------
    volume : Volume
        Labels; read once, from the first slice to the last.
    blocks : Blocks
        The coarser grid.
    chosen : callable
        Takes a slab and its slices, gives bool voxels.

    Returns
    -------
    float32, shape ``blocks.count``
        Between 0 and 1.
    """
    result = np.zeros(blocks.count, np.float32)
    (from_z, weight_z), (from_y, weight_y), (from_x, weight_x) = (
        _sources(blocks, axis, volume.shape[axis]) for axis in range(3)
    )
    group = max(1, SLAB_SLICES // blocks.factor)
    for first in range(0, blocks.count[0], group):
        nodes = slice(first, min(first + group, blocks.count[0]))
        z = slice(int(from_z[nodes].min()), int(from_z[nodes].max()) + 1)
        slab = chosen(np.asarray(volume.array[z]), z)
        if not slab.any():
            continue
        sums = _summed(slab, from_z[nodes] - z.start, weight_z[nodes], axis=0)
        sums = _summed(_summed(sums, from_y, weight_y, axis=1), from_x, weight_x, axis=2)
        result[nodes] = sums / blocks.factor**3
    return result


def _summed(values: Array, sources: Array, weights: Array, axis: int) -> Array:
    """Weighted sums of the voxels that each node averages along one axis."""
    picked = np.take(values, sources.ravel(), axis=axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    picked = picked * weights.reshape(shape)
    split = (*picked.shape[:axis], *sources.shape, *picked.shape[axis + 1 :])
    return picked.reshape(split).sum(axis=axis + 1, dtype=np.float32)


def _sources(blocks: Blocks, axis: int, length: int) -> tuple[Array, Array]:
    """Voxels (nodes, factor) that each node averages along an axis, and their weights: 0 where nothing is."""
    voxels = blocks.start[axis] + np.arange(blocks.count[axis] * blocks.factor)
    before, after = blocks.continued[axis]
    known = ((voxels >= 0) | before) & ((voxels < length) | after)
    shape = (blocks.count[axis], blocks.factor)
    return np.clip(voxels, 0, length - 1).reshape(shape), known.astype(np.float32).reshape(shape)
