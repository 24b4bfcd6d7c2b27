"""Bone–implant contact with every face weighted by the cosine between it and the surface."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegQuantLib.contact import percent
from ImplantSegQuantLib.trail import Rectangle, View

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

SMOOTHING_VOXELS = 1.5
"""Standard deviation of the Gaussian that gives the surface its normal, in voxels of the coarsest axis."""

_REACH = 4.0

_JOB_TILES = 64


class NormalMeter:
    """Weighs the faces of the implant, window by window.

    A plane has as many faces along an axis as its projection, so that faces × area × |cosine| is its area
    whatever its orientation. The normal is the gradient of the implant's indicator, smoothed with a Gaussian
    over the voxels that exist. Only tiles of the slices that the surface runs through are looked at.

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """

    def __init__(self, spacing_mm: Triple) -> None:
        self._spacing = np.array(spacing_mm)
        sigma = [SMOOTHING_VOXELS * max(spacing_mm) / step for step in spacing_mm]
        z, y, x = (_gaussian(width) for width in sigma)
        self._weights = (z, y, x)
        self._slices: list[Array] = []

    @property
    def halo(self) -> int:
        """Slices that it looks at on both sides of those that are meant."""
        return self._weights[0].size // 2 + 1

    def add(self, view: View) -> None:
        """Take in the next slices."""
        from ImplantSegQuantLib.normals_kernels import TILE, weighted_tiles

        if (box := view.rectangle()) is None:
            return
        tiles = _tiles(box, TILE)
        groups = [tiles[n : n + _JOB_TILES] for n in range(0, len(tiles), _JOB_TILES)]
        areas = np.concatenate(
            threads.each(
                lambda some: weighted_tiles(view.labels, view.ends, some, self._weights, self._spacing), groups
            )
        )
        # one sum for every slice, exactly rounded, so that no slab and no order changes it
        self._slices.append(np.array([[math.fsum(side) for side in tile.T] for tile in areas.swapaxes(0, 1)]))

    def percent(self) -> float | None:
        """BIC in %; None when the implant has no surface."""
        if not self._slices:
            return None
        bone, background = (math.fsum(side) for side in np.concatenate(self._slices).T)
        return percent(bone, bone + background)


def _tiles(box: Rectangle, edge: int) -> Array:
    """First rows and columns, int64 (N, 2), of the tiles that a rectangle touches."""
    rows, columns = (np.arange(low // edge * edge, high, edge) for low, high in (box[:2], box[2:]))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def _gaussian(sigma_voxels: float) -> Array:
    """Weights of a Gaussian, cut off where it is small, as float32 of sum 1."""
    reach = int(_REACH * sigma_voxels + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_voxels) ** 2)
    return (weights / weights.sum()).astype(np.float32)
