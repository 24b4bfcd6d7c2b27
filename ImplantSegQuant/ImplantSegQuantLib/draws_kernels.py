"""Kernels of drawn labels: Gaussian fields on a lattice, and the label they choose; import late, they need numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from ImplantSegLib.phantom.noise import lattice_hash, next_hash, uniform

Array = np.ndarray[Any, Any]

CERTAIN = 255
"""Stored probability from which on a class is certain."""

_TABLE = 4096
_REACH = 6.5
_STEPS_PER_SIGMA = (_TABLE - 2) / (2 * _REACH)


def gumbel_table() -> Array:
    """Gumbel quantiles −log(−log Φ(z)) at equal steps of a standard normal z from −6.5 to 6.5, float64 (4096,)."""
    from scipy.special import log_ndtr

    z = -_REACH + np.arange(_TABLE) / _STEPS_PER_SIGMA
    return -np.log(-np.asarray(log_ndtr(z)))


@njit(nogil=True, cache=True, inline="always")
def _gumbel(table: Array, z: float) -> float:
    at = (min(max(z, -_REACH), _REACH) + _REACH) * _STEPS_PER_SIGMA
    cell = int(at)
    return table[cell] + (at - cell) * (table[cell + 1] - table[cell])


@njit(nogil=True, cache=True)
def normal_at(i: int, j: int, k: int, seed: int) -> float:
    """Give the standard normal number of a lattice point (Box & Muller 1958, doi:10.1214/aoms/1177706645)."""
    h = lattice_hash(i, j, k, seed)
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(h)))
    return radius * math.cos(2.0 * math.pi * uniform(next_hash(h)))


@njit(nogil=True, cache=True)
def lattice(first: Array, shape: tuple[int, int, int], seed: int) -> Array:
    """Give the numbers of a block of lattice points, float64; each depends on its place and the seed only."""
    values = np.empty(shape)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                values[i, j, k] = normal_at(first[0] + i, first[1] + j, first[2] + k, seed)
    return values


@njit(nogil=True, cache=True, inline="always")
def _spline(at: float, weights: Array) -> int:
    """Quadratic B-spline weights at a position, scaled to a sum of squares of 1; gives the first of the three nodes."""
    node = math.floor(at + 0.5)
    t = at - node
    weights[0] = 0.5 * (0.5 - t) ** 2
    weights[1] = 0.75 - t * t
    weights[2] = 0.5 * (0.5 + t) ** 2
    scale = 1.0 / math.sqrt(weights[0] ** 2 + weights[1] ** 2 + weights[2] ** 2)
    for n in range(3):
        weights[n] *= scale
    return int(node) - 1


@njit(nogil=True, cache=True)
def draw(
    labels: Array, probabilities: Array, start: int, nodes: Array, first: Array, place: Array, table: Array
) -> Array:
    """Draw the labels of some slices.

    Every class has a Gaussian field: numbers on a lattice, interpolated by quadratic B-splines that keep its variance
    at 1 everywhere. Turned into Gumbel noise it is added to the logarithm of the
    class's probability; the largest sum wins, which it does with just that probability (Gumbel 1954).

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels of the segmentation.
    probabilities : uint8, shape (classes, Z, Y, X)
        Class probabilities · 255.
    start : int
        Number of the first slice in its volume.
    nodes : float64, shape (classes, i, j, k)
        Lattice of every class.
    first : int64, shape (classes, 3)
        Lattice point of the first of them.
    place : float64, shape (classes, 4)
        Position of voxel (0, 0, 0) on the lattice along (z, y, x), and lattice steps per voxel.
    table : float64, shape (4096,)
        :func:`gumbel_table`.

    Returns
    -------
    uint8, shape (Z, Y, X)
    """
    classes, depth, height, width = probabilities.shape
    drawn = labels.copy()
    logs = np.log(np.maximum(np.arange(256), 1e-300) / 255.0)
    lines = np.empty((classes, nodes.shape[3]))
    along, across, down = np.empty(3), np.empty(3), np.empty(3)
    for z in range(depth):
        for y in range(height):
            ready = False
            for x in range(width):
                own = labels[z, y, x]
                if own >= classes:
                    continue
                chance = probabilities[own, z, y, x]
                if chance == CERTAIN:
                    continue
                highest = chance
                for c in range(classes):
                    highest = max(highest, probabilities[c, z, y, x])
                if highest > chance + 1:  # somebody has changed this label since: it is kept
                    continue
                if not ready:
                    for c in range(classes):
                        i = _spline(place[c, 0] + place[c, 3] * (start + z), down) - first[c, 0]
                        j = _spline(place[c, 1] + place[c, 3] * y, across) - first[c, 1]
                        for k in range(nodes.shape[3]):
                            total = 0.0
                            for di in range(3):
                                for dj in range(3):
                                    total += down[di] * across[dj] * nodes[c, i + di, j + dj, k]
                            lines[c, k] = total
                    ready = True
                best = -np.inf
                for c in range(classes):
                    chance = probabilities[c, z, y, x]
                    if chance == 0:
                        continue
                    k = _spline(place[c, 2] + place[c, 3] * x, along) - first[c, 2]
                    local = along[0] * lines[c, k] + along[1] * lines[c, k + 1] + along[2] * lines[c, k + 2]
                    score = logs[chance] + _gumbel(table, local)
                    if score > best:
                        best = score
                        drawn[z, y, x] = c
    return drawn
