"""What corrosion makes of the screw: how deep the metal is gone, and the layer of its products.

All fields are functions of a point in the screw's frame (mm), so they turn and move with the screw. The depth
``d`` and the swelling ``e`` are measured along the screw's signed distance ``f``: metal where f < -d, the layer
where -d <= f < e, except where it has cracked, come off or dissolved.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from ImplantSegLib.phantom.noise import lattice_hash, next_hash, rough, smooth, stream, uniform

RELIEF_LENGTH = 0.45
"""Correlation length of the depth of corrosion, mm: several per turn of the thread."""
RELIEF_SPREAD = 1.1
"""Log-scale amplitude of the depth: the deepest decile is about three times the median."""
FADE = 0.3
"""Distance from the original surface at which corrosion has half its strength, mm."""
PIT_CELL = 0.7
"""One possible pit per cell of this edge, mm."""
RELIEF_MAX = 8.0
"""Bound of :func:`relief` (two octaves of noise below 1.5, one pit below 2.6)."""
SWELLING_MAX = 0.04
"""The layer never stands more than this above the original surface, mm."""


class Corrosion(NamedTuple):
    """The corrosion of one phantom: depth scale (mm), widths (mm), how much is damaged (0–0.2), seeds of the fields."""

    depth_scale: float
    swelling: float
    detachment: float
    crack: float
    damage: float
    seed_relief: int
    seed_pits: int
    seed_swelling: int
    seed_detachment: int
    seed_cracks: int
    seed_dissolved: int
    seed_mineral: int


def corrosion(seed: int, swelling: float, detachment: float, crack: float, damage: float) -> Corrosion:
    """Set up the corrosion fields of a phantom, with a depth of nought.

    Parameters
    ----------
    seed : int
        Seed of the phantom.
    swelling : float
        Height of the layer above the original surface as a share of the depth, 0 to 1.
    detachment, crack : float
        Largest width of the gap under a detached layer and of the cracks through it, mm.
    damage : float
        How much of the layer is detached, cracked and dissolved: 0 (little) to 0.2 (a good part).
    """
    names = ("relief", "pits", "swelling", "detachment", "cracks", "dissolved", "mineral")
    return Corrosion(0.0, swelling, detachment, crack, damage, *(stream(seed, name) for name in names))


@njit(cache=True)
def relief(x: float, y: float, z: float, f: float, c: Corrosion) -> float:
    """Depth of corrosion in units of its scale: log-normal and correlated, with pits; positive.

    It fades with the distance ``f`` from the original surface, so that corrosion starts there and leaves no
    islands inside the metal.
    """
    a = RELIEF_LENGTH
    waves = math.exp(RELIEF_SPREAD * rough(x / a, y / a, z / a, c.seed_relief))
    return (waves + _pit(x, y, z, c.seed_pits)) / (1.0 + (f / FADE) ** 2)


@njit(cache=True)
def _pit(x: float, y: float, z: float, seed: int) -> float:
    """Bump of one pit per cell; it lies inside its cell, so no neighbour has to be asked."""
    i, j, k = math.floor(x / PIT_CELL), math.floor(y / PIT_CELL), math.floor(z / PIT_CELL)
    h = lattice_hash(int(i), int(j), int(k), seed)
    radius = (0.2 + 0.3 * uniform(h)) * PIT_CELL
    free = PIT_CELL - 2.0 * radius
    h = next_hash(h)
    dx = x - i * PIT_CELL - radius - free * uniform(h)
    h = next_hash(h)
    dy = y - j * PIT_CELL - radius - free * uniform(h)
    h = next_hash(h)
    dz = z - k * PIT_CELL - radius - free * uniform(h)
    inside = 1.0 - (dx * dx + dy * dy + dz * dz) / (radius * radius)
    return 2.5 * uniform(next_hash(h)) * inside * inside if inside > 0.0 else 0.0


@njit(cache=True)
def swelling(x: float, y: float, z: float, depth: float, c: Corrosion) -> float:
    """Height of the layer above the original surface, mm: patches, none elsewhere."""
    patch = 0.3 + 1.6 * smooth(x / 0.5, y / 0.5, z / 0.5, c.seed_swelling)
    return min(SWELLING_MAX, c.swelling * depth * min(1.0, max(0.0, patch)))


@njit(cache=True)
def is_void(x: float, y: float, z: float, f: float, depth: float, top: float, c: Corrosion) -> bool:
    """Whether a point of the layer (-depth <= f < top) is fluid: detached, cracked or dissolved."""
    gap = (smooth(x / 0.7, y / 0.7, z / 0.7, c.seed_detachment) - 0.46 + c.damage) / 0.1
    if f + depth < c.detachment * min(1.0, gap):
        return True
    height = (f + depth) / (depth + top + 1e-9)
    open_share = c.damage - 0.22 + 1.3 * smooth(x / 0.8, y / 0.8, z / 0.8, c.seed_cracks + 1) + 0.3 * height
    # a sheet |n| < w/2 of gradient noise: its gradient is about 1.2 per lattice length
    sheet = abs(smooth(x / 0.45, y / 0.45, z / 0.45, c.seed_cracks)) * 0.45 / 1.2
    if sheet < 0.5 * c.crack * min(1.0, open_share):
        return True
    return height > 0.5 and smooth(x / 0.6, y / 0.6, z / 0.6, c.seed_dissolved) > 0.5 - c.damage


@njit(cache=True)
def mineral_share(x: float, y: float, z: float, f: float, depth: float, top: float, c: Corrosion) -> float:
    """Share of calcium phosphate in the layer, 0 (hydroxide, dark) to 1 (bright); more of it towards the tissue."""
    height = (f + depth) / (depth + top + 1e-9)
    zone = rough(x / 0.16, y / 0.16, z / 0.16, c.seed_mineral)
    return min(1.0, max(0.0, 0.42 + 1.1 * zone + 0.35 * (height - 0.5)))
