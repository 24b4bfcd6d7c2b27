"""Islands of implant: separate pieces that are too small to be believed become bone or background.

A corroding screw does break, and a field of view cuts it, so pieces are judged by their volume and not by being
the largest one, unless that is asked for. A piece that goes takes the label that most of its free faces touch.

Two passes over slabs with components of the slabs joined across their borders (union-find), so that memory
holds one slab (13 bytes per voxel) and a few numbers per piece, whatever the size of the volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.volumes import Volume

UNKNOWN_VOXEL_ISLAND = 1000
"""Voxels below which a piece is an island where nobody knows the size of a voxel: 0.001 mm³ at 10 µm."""

_SLAB_BYTES = 2**26

Array = npt.NDArray[Any]


@dataclass
class Pieces:
    """Pieces of implant, numbered over all slabs in the order in which a slab's components come.

    Parameters
    ----------
    offsets : list of int
        Number of each slab's background component; its component i has the number ``offset + i``.
    roots : ndarray of int64, shape (N,)
        Number that all parts of one piece share.
    voxels : ndarray of int64, shape (N,)
        Voxels of the whole piece, at its root.
    touching : ndarray of int64, shape (N, 2)
        Free faces of the whole piece to background and to bone, at its root.
    """

    offsets: list[int]
    roots: Array
    voxels: Array
    touching: Array


def cleaned(labels: Volume, island_mm3: float, keep_largest: bool = False) -> Iterator[npt.NDArray[np.uint8]]:
    """Find the islands of implant and give the labels without them, slab by slab.

    Parameters
    ----------
    labels : Volume of uint8
        The raw segmentation.
    island_mm3 : float
        Pieces of implant (residual material and degradation layer together, joined by faces) of a smaller volume
        are islands. Where the voxel size is unknown, it stands for 1000 voxels per 0.001 mm³.
    keep_largest : bool
        Whether every piece but the largest is an island.

    Returns
    -------
    iterator of ndarray of uint8, shape (nz, Y, X)
    """
    depth = labels.slab_depth(_SLAB_BYTES // 13)
    pieces = find_pieces(labels, depth)
    return _without(labels, depth, pieces, _fate(pieces, _least_voxels(labels, island_mm3), keep_largest))


def _without(labels: Volume, depth: int, pieces: Pieces, fate: Array) -> Iterator[npt.NDArray[np.uint8]]:
    for number, (_, block) in enumerate(labels.slabs(depth)):
        own = fate[pieces.offsets[number] :]
        parts = _components(block)
        new = own[parts]
        yield np.where((parts > 0) & (new >= 0), new.astype(np.uint8), block)


def find_pieces(labels: Volume, depth: int) -> Pieces:
    """Find the pieces of implant in slabs of ``depth`` slices, in one pass."""
    joins = _Union()
    offsets, voxels, touching = [], [np.zeros(0, np.int64)], [np.zeros((0, 2), np.int64)]
    last_parts = last_block = None
    slabs = progress.track(labels.slabs(depth), "islands", -(-labels.shape[0] // depth), "slab")
    for _, block in slabs:
        parts = _components(block)
        count = int(parts.max(initial=0)) + 1
        offset = joins.extend(count)
        offsets.append(offset)
        voxels.append(np.bincount(parts.ravel(), minlength=count))
        touching.append(_free_faces(parts, block, count))
        if last_parts is not None and last_block is not None:
            below = offsets[-2]
            joins.join(last_parts, parts[0], below, offset)
            touching[-1] += _counted(parts[0], last_block, count)
            touching[-2] += _counted(last_parts, block[0], len(touching[-2]))
        last_parts, last_block = parts[-1].copy(), block[-1].copy()
    roots = joins.roots()
    sums = np.zeros((len(roots), 3), np.int64)
    np.add.at(sums, roots, np.column_stack([np.concatenate(voxels), np.concatenate(touching)]))
    return Pieces(offsets, roots, sums[:, 0], sums[:, 1:])


def _fate(pieces: Pieces, least: float, keep_largest: bool) -> Array:
    """Decide on the new label of every part of a piece: -1 where it stays, as the background components do."""
    sizes = pieces.voxels.copy()
    sizes[pieces.offsets] = 0
    least = max(least, sizes.max(initial=0)) if keep_largest else least
    bone = pieces.touching[:, 1] > pieces.touching[:, 0]
    label = np.where(bone, int(Label.BONE), int(Label.BACKGROUND))
    fate = np.where(sizes < least, label, -1)[pieces.roots]
    fate[pieces.offsets] = -1
    return fate


def _least_voxels(labels: Volume, island_mm3: float) -> float:
    known = labels.metadata.get("voxel_size_known") != "no"
    return island_mm3 / labels.voxel_volume_mm3 if known else island_mm3 / 0.001 * UNKNOWN_VOXEL_ISLAND


def _components(block: Array) -> Array:
    import cc3d

    parts: Array = cc3d.connected_components(np.isin(block, IMPLANT), connectivity=6)
    return parts


def _free_faces(parts: Array, block: Array, count: int) -> Array:
    """Faces of each component to background and bone inside a slab, shape (count, 2)."""
    total = np.zeros((count, 2), np.int64)
    for axis in range(3):
        parts_along, block_along = np.moveaxis(parts, axis, 0), np.moveaxis(block, axis, 0)
        total += _counted(parts_along[:-1], block_along[1:], count)
        total += _counted(parts_along[1:], block_along[:-1], count)
    return total


def _counted(parts: Array, beside: Array, count: int) -> Array:
    """How often each component lies beside background and beside bone, shape (count, 2)."""
    counts = [np.bincount(parts[(parts > 0) & (beside == label)], minlength=count) for label in (0, int(Label.BONE))]
    return np.column_stack(counts).astype(np.int64)


class _Union:
    """Joins numbers into sets (union-find with path halving)."""

    def __init__(self) -> None:
        self._parents: list[int] = []

    def extend(self, count: int) -> int:
        """Add numbers that are on their own and give the first of them."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return first

    def join(self, above: Array, below: Array, offset_above: int, offset_below: int) -> None:
        """Join the components of two neighbouring slices that share a face."""
        both = (above > 0) & (below > 0)
        for a, b in np.unique(np.column_stack([above[both], below[both]]), axis=0).tolist():
            roots = self._root(a + offset_above), self._root(b + offset_below)
            self._parents[max(roots)] = min(roots)

    def roots(self) -> Array:
        """Smallest number of the set of every number."""
        return np.array([self._root(number) for number in range(len(self._parents))], np.int64)

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number
