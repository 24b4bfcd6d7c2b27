"""What a report's pictures need of large volumes, read slab by slab: three planes, and a coarse copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ImplantSegLib.labels import IMPLANT, Label

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume

Index = tuple[int, int, int]
Array = npt.NDArray[Any]
Field = Callable[[Array], Array]
"""Gives a number for each of N world points (N, 3), (x, y, z) in mm."""

_SLAB_BYTES = 2**26
_POINTS = 2**22
_SAMPLES = 3  # per block edge: enough for a smooth surface, and a full scan is not summed voxel by voxel


@dataclass(frozen=True)
class Coarse:
    """How much of each block of voxels belongs to each class.

    Parameters
    ----------
    fractions : mapping of int to uint8 array, shape (Z, Y, X)
        Share of the labels 1, 2 and 3 in every block, 0 to 255.
    block_mm : tuple of float
        Edges of a block along (z, y, x), in mm.
    """

    fractions: dict[int, npt.NDArray[np.uint8]]
    block_mm: tuple[float, float, float]

    def centre_mm(self) -> npt.NDArray[np.float64]:
        """Centroid of the implant, or the middle where there is none: mm from the volume's corner, (z, y, x)."""
        share = sum(self.fractions[label].astype(np.float32) for label in IMPLANT)
        shape = np.asarray(np.shape(share))
        total = float(np.sum(share))
        if total == 0:
            return shape / 2 * self.block_mm
        axes = ((1, 2), (0, 2), (0, 1))
        profiles = [np.sum(share, axis=other, dtype=np.float64) for other in axes]
        centre = [np.dot(profile, np.arange(profile.size) + 0.5) / total for profile in profiles]
        return np.asarray(centre) * self.block_mm


def coarsen(segmentation: Volume, max_edge: int = 200) -> Coarse:
    """Reduce a segmentation to blocks, at most ``max_edge`` along each axis, in one pass over its slabs.

    Blocks are nearly cubes in mm. A block holds at most 3³ samples, on a regular grid.
    """
    strides, blocks = _block_design(segmentation, max_edge)
    depth = strides[0] * blocks[0]
    repeat = max(1, _SLAB_BYTES // (depth * max(1, int(np.prod(segmentation.shape[1:])))))
    parts: dict[int, list[Array]] = {label: [] for label in (*IMPLANT, Label.BONE)}
    for _, slab in segmentation.slabs(depth * repeat):
        samples = slab[:: strides[0], :: strides[1], :: strides[2]]
        for label, part in parts.items():
            part.append(_block_share(samples == label, blocks))
    block_mm = tuple(
        stride * block * step for stride, block, step in zip(strides, blocks, segmentation.spacing_mm, strict=True)
    )
    return Coarse({label: np.concatenate(part) for label, part in parts.items()}, block_mm)  # type: ignore[arg-type]


def _block_design(volume: Volume, max_edge: int) -> tuple[Index, Index]:
    """Strides between samples and samples per block, along (z, y, x)."""
    edge_mm = max(np.multiply(volume.shape, volume.spacing_mm)) / max_edge
    voxels = [max(1, int(np.ceil(edge_mm / step - 1e-9))) for step in volume.spacing_mm]
    strides = tuple(-(-count // _SAMPLES) for count in voxels)
    blocks = tuple(-(-count // stride) for count, stride in zip(voxels, strides, strict=True))
    return strides, blocks  # type: ignore[return-value]


def _block_share(mask: Array, blocks: Index) -> npt.NDArray[np.uint8]:
    """Share of True in each block, 0 to 255; blocks at the far ends may hold fewer samples."""
    share = mask.astype(np.uint8)
    if blocks == (1, 1, 1):
        return share * np.uint8(255)
    counts = np.ones((1, 1, 1), np.float32)
    for axis, block in enumerate(blocks):
        starts = np.arange(0, mask.shape[axis], block)
        share = np.add.reduceat(share, starts, axis=axis, dtype=np.uint8)  # at most 27
        width = np.diff(np.append(starts, mask.shape[axis])).astype(np.float32)
        counts = counts * np.expand_dims(width, [other for other in range(3) if other != axis])
    return np.round(share * (255 / counts)).astype(np.uint8)


class Planes(NamedTuple):
    """Three planes of a volume through one voxel: ``xy`` (Y, X), ``xz`` (Z, X) and ``yz`` (Z, Y)."""

    xy: Array
    xz: Array
    yz: Array


def planes(volume: Volume, index: Index) -> Planes:
    """Read the three planes through a voxel, in one pass over the slabs."""
    z, y, x = index
    depth = max(1, _SLAB_BYTES // max(1, int(np.prod(volume.shape[1:])) * volume.dtype.itemsize))
    xz: list[Array] = []
    yz: list[Array] = []
    xy = np.empty((0, 0))
    for where, slab in volume.slabs(depth):
        xz.append(slab[:, y, :].copy())
        yz.append(slab[:, :, x].copy())
        if where.start <= z < where.stop:
            xy = slab[z - where.start].copy()
    return Planes(xy, np.concatenate(xz), np.concatenate(yz))


def field_planes(volume: Volume, index: Index, field: Field) -> Planes:
    """Evaluate a function of world points (N, 3), LPS in mm, at the voxel centres of the three planes."""
    z, y, x = index
    depth, height, width = volume.shape
    return Planes(
        _sample(volume, field, ([z], range(height), range(width)))[0],
        _sample(volume, field, (range(depth), [y], range(width)))[:, 0],
        _sample(volume, field, (range(depth), range(height), [x]))[:, :, 0],
    )


def _sample(volume: Volume, field: Field, indices: tuple[Sequence[int], ...]) -> Array:
    grid = np.stack(np.meshgrid(*indices, indexing="ij"), axis=-1)
    affine = volume.index_to_world
    parts = [
        np.asarray(field(part @ affine[:3, :3].T + affine[:3, 3]))
        for part in np.array_split(grid.reshape(-1, 3), 1 + grid.size // _POINTS)
    ]
    return np.concatenate(parts).reshape(grid.shape[:3])


def nearest_voxel(volume: Volume, corner_mm: Array) -> Index:
    """Index of the voxel that holds a point given in mm from the volume's corner, (z, y, x)."""
    index = np.clip((corner_mm / volume.spacing_mm).astype(int), 0, np.asarray(volume.shape) - 1)
    return int(index[0]), int(index[1]), int(index[2])
