"""Random fields that are functions of a point: the same value wherever, whenever and in whatever order they are asked.

Each field is hashed from integer lattice coordinates and a seed (a counter-based generator), so a volume made slab
by slab is the same, byte for byte, as one made at once.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numba import njit

_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_PRIMES = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))
_P0, _P1, _P2 = _PRIMES
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)


def stream(seed: int, name: str) -> int:
    """Seed of a named field: fields of one phantom are independent of each other (63 bits)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@njit(cache=True, inline="always")
def lattice_hash(i: int, j: int, k: int, seed: int) -> np.uint64:
    """Hash an integer lattice point to 64 random bits (finaliser of SplitMix64, doi 10.1145/2714064.2660195)."""
    h = np.uint64(seed) + np.uint64(i) * _P0 + np.uint64(j) * _P1 + np.uint64(k) * _P2
    h = (h ^ (h >> _S30)) * _A
    h = (h ^ (h >> _S27)) * _B
    return h ^ (h >> _S31)


@njit(cache=True, inline="always")
def next_hash(h: np.uint64) -> np.uint64:
    """Give the next 64 random bits of a lattice point's own sequence."""
    h = (h + _P0) * _A
    return h ^ (h >> _S27)


@njit(cache=True, inline="always")
def uniform(h: np.uint64) -> float:
    """Turn 64 random bits into a number in [0, 1)."""
    return float(h >> _S11) * (1.0 / 9007199254740992.0)


@njit(cache=True, inline="always")
def _fade(t: float) -> float:
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)


@njit(cache=True, inline="always")
def _gradient(h: np.uint64, x: float, y: float, z: float) -> float:
    """Dot product with one of the 12 cube-edge directions."""
    g = int(h >> _S30) & 15
    u = x if g < 8 else y
    v = y if g < 4 else (x if g == 12 or g == 14 else z)
    return (u if g & 1 == 0 else -u) + (v if g & 2 == 0 else -v)


@njit(cache=True)
def smooth(x: float, y: float, z: float, seed: int) -> float:
    """Gradient noise of unit correlation length (Perlin 2002, doi 10.1145/566654.566636).

    Parameters
    ----------
    x, y, z : float
        Point, in units of the field's lattice.
    seed : int
        Which field.

    Returns
    -------
    float
        Value of mean 0, standard deviation 0.26 and range about [-1, 1].
    """
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    x -= fx
    y -= fy
    z -= fz
    u, v, w = _fade(x), _fade(y), _fade(z)
    total = 0.0
    for dk in range(2):
        wk = w if dk else 1.0 - w
        for dj in range(2):
            wj = wk * (v if dj else 1.0 - v)
            for di in range(2):
                weight = wj * (u if di else 1.0 - u)
                total += weight * _gradient(lattice_hash(i + di, j + dj, k + dk, seed), x - di, y - dj, z - dk)
    return total


@njit(cache=True)
def rough(x: float, y: float, z: float, seed: int) -> float:
    """Add two octaves of :func:`smooth`: a field with detail at half its length too."""
    return smooth(x, y, z, seed) + 0.5 * smooth(2.0 * x + 17.3, 2.0 * y + 5.9, 2.0 * z + 41.1, seed)
