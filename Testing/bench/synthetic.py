"""A synthetic explant of any size, made slab by slab in no more time than it takes to read it again.

Not the phantom of `implantseg phantom`, whose truth is known but costs microseconds a voxel: labels only, from the
distance to the reference. The metal is pitted, the layer is cracked, the bone is a net of rods with marrow between, and
some voxels are mislabelled. Same voxel, same label, whatever the slabs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ImplantSegLib import threads

Array = np.ndarray[Any, Any]

PITS_MM, PORES_MM, CRACKS_MM = 0.43, 0.62, 0.13
"""Periods of the pits in the metal, of the marrow in the bone, of the cracks in the layer."""

WRONG = 0.002
"""Share of mislabelled voxels."""


def labels_of(distance_mm: Array, start: int, spacing_mm: tuple[float, float, float], radius: float) -> Array:
    """Labels of some slices, uint8 (Z, Y, X).

    Parameters
    ----------
    distance_mm : float32, shape (Z, Y, X)
        Signed distance to the reference.
    start : int
        The number of the first slice.
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    radius : float
        Of the circular field of view round the middle of the slices, in voxels; beyond it all is background.
    """
    depth, height, width = distance_mm.shape
    labels = np.empty(distance_mm.shape, np.uint8)
    waves = _waves((range(start, start + depth), range(height), range(width)), spacing_mm)
    threads.each_range(lambda low, high: _fill(distance_mm, start, waves, radius, (low, high), labels), 0, depth)
    return labels


def _waves(index: tuple[range, range, range], spacing_mm: tuple[float, float, float]) -> tuple[Array, Array, Array]:
    """Sine and cosine along (z, y, x) of every period, float32 (periods, 2, n)."""
    periods = (PITS_MM, PORES_MM, CRACKS_MM)
    parts = []
    for axis, step in zip(index, spacing_mm, strict=True):
        phase = 2 * np.pi * np.arange(axis.start, axis.stop) * step / np.array(periods)[:, None]
        parts.append(np.stack([np.sin(phase), np.cos(phase)], axis=1).astype(np.float32))
    return parts[0], parts[1], parts[2]


@njit(nogil=True, cache=True, inline="always")
def _gyroid(waves: tuple[Array, Array, Array], period: int, k: int, j: int, i: int) -> float:
    z, y, x = waves[0][period], waves[1][period], waves[2][period]
    return x[0, i] * y[1, j] + y[0, j] * z[1, k] + z[0, k] * x[1, i]


@njit(nogil=True, cache=True, inline="always")
def _chance(z: int, y: int, x: int) -> int:
    """A number from 0 to 2^32 - 1 that belongs to the voxel."""
    mixed = (
        np.uint32(z) * np.uint32(0x9E3779B1)
        ^ np.uint32(y) * np.uint32(0x85EBCA77)
        ^ np.uint32(x) * np.uint32(0xC2B2AE3D)
    )
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    mixed = (mixed ^ (mixed >> np.uint32(12))) * np.uint32(0x297A2D39)
    return np.uint32(mixed ^ (mixed >> np.uint32(15)))


@njit(nogil=True, cache=True)
def _fill(
    distance: Array, start: int, waves: tuple[Array, Array, Array], radius: float, ends: tuple[int, int], labels: Array
) -> None:
    _, height, width = distance.shape
    wrong = np.uint32(WRONG * 2**32)
    for k in range(ends[0], ends[1]):
        for j in range(height):
            for i in range(width):
                across = (j - 0.5 * (height - 1)) ** 2 + (i - 0.5 * (width - 1)) ** 2
                if across > radius**2:
                    labels[k, j, i] = 0
                    continue
                chance = _chance(start + k, j, i)
                d = distance[k, j, i]
                if chance < wrong:
                    label = (chance >> np.uint32(8)) & np.uint32(3)
                elif d < 0.05:
                    pits = _gyroid(waves, 0, k, j, i)
                    if d < -0.08 - 0.05 * pits:
                        label = 1
                    elif d > 0.03 + 0.01 * pits or abs(_gyroid(waves, 2, k, j, i)) < 0.03:
                        label = 0
                    else:
                        label = 2
                else:
                    label = 0
                if label == 0 and d > -0.02 and chance >= wrong:
                    label = 3 if _gyroid(waves, 1, k, j, i) > 0.2 else 0
                labels[k, j, i] = label
