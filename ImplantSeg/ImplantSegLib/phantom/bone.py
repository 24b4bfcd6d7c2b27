"""The bone round the screw: cortex with canals and lacunae, trabeculae, and the remodelling gap at the implant.

All fields are functions of a point in the screw's frame (mm): the screw's axis is z, the bone's long axis x.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.noise import lattice_hash, next_hash, smooth, stream, uniform

CANAL_CELL = 0.28
"""Distance of Haversian canals, mm (osteons of 200–300 µm, doi 10.1016/S8756-3282(03)00070-6)."""
LACUNA_CELL = 0.045
"""Distance of osteocyte lacunae, mm (about 11 000 per mm³)."""
GAP_MIN = 0.015
"""Narrowest gap between implant and bone where they do not touch, mm."""
GAP_SLOPE = 0.32
"""How fast the gap widens away from a contact, mm per unit of the contact field."""
GAP_REACH = 0.25
"""Bound of gap and of new bone from the implant's surface, mm."""


class Bone(NamedTuple):
    """The bone of one phantom: where the cortex is (mm along the screw), trabecular density, contact, seeds."""

    near_cortex: float
    far_cortex: float
    plate: float
    contact: float
    seed_border: int
    seed_plates: int
    seed_holes: int
    seed_canals: int
    seed_lacunae: int
    seed_contact: int
    seed_mineral: int


SITES = {
    # cortex where z > near or z < far; plate: half width of trabecular sheets in units of their noise field
    "diaphysis": (9.5, 5.0, 0.05),
    "metaphysis": (12.6, -9.0, 0.15),
    "epiphysis": (14.5, -9.0, 0.10),
}


def bone(seed: int, site: str, contact: float = math.inf) -> Bone:
    """Set up the bone fields of a phantom.

    Parameters
    ----------
    seed : int
        Seed of the phantom.
    site : {"diaphysis", "metaphysis", "epiphysis"}
        Where the screw sits.
    contact : float
        Bone touches the implant where the contact field is at least this; inf: nowhere.
    """
    if site not in SITES:
        raise InputError(f"got site {site!r}", f"choose one of: {', '.join(SITES)}")
    names = ("border", "plates", "holes", "canals", "lacunae", "contact", "bone mineral")
    return Bone(*SITES[site], contact, *(stream(seed, name) for name in names))


@njit(cache=True)
def contact_field(x: float, y: float, z: float, b: Bone) -> float:
    """Field whose level sets the contact: the higher, the sooner bone touches the implant there."""
    a = 0.4
    return smooth(x / a, y / a, z / a, b.seed_contact) + 0.3 * smooth(3.1 * x, 3.1 * y, 3.1 * z, b.seed_contact + 1)


@njit(cache=True)
def new_bone(height: float, field: float, b: Bone) -> int:
    """Tell what lies at a height (mm) above the implant: 1 new bone, 0 fluid of the gap, -1 the old tissue."""
    if field >= b.contact:
        return 1 if height < min(0.12, 0.03 + 0.4 * (field - b.contact)) else -1
    return 0 if height < min(0.2, GAP_MIN + GAP_SLOPE * (b.contact - field)) else -1


@njit(cache=True)
def is_tissue(x: float, y: float, z: float, b: Bone) -> bool:
    """Whether the bone that was there before the screw is mineralised at a point."""
    border = 0.6 * smooth(x / 1.5, y / 1.5, z / 1.5, b.seed_border)
    if z + border > b.near_cortex or z + border < b.far_cortex:
        return not (_in_canal(x, y, z, b.seed_canals) or _in_lacuna(x, y, z, b.seed_lacunae))
    return _in_plate(x, y, z, b) and not _in_lacuna(x, y, z, b.seed_lacunae)


@njit(cache=True)
def _in_plate(x: float, y: float, z: float, b: Bone) -> bool:
    """Trabecular plates: sheets round the zero level of a noise field, perforated by another."""
    a = 0.75
    sheet = abs(smooth(x / a, y / a, z / a, b.seed_plates))
    holes = smooth(x / 0.5, y / 0.5, z / 0.5, b.seed_holes)
    return sheet < b.plate * (1.0 + 1.2 * smooth(x / 0.9, y / 0.9, z / 0.9, b.seed_holes + 1)) and holes < 0.22


@njit(cache=True)
def _in_canal(x: float, y: float, z: float, seed: int) -> bool:
    """Haversian canals along x, of radius 15–45 µm, each wandering about a jittered lattice point of (y, z)."""
    j0, k0 = math.floor(y / CANAL_CELL), math.floor(z / CANAL_CELL)
    for j in range(int(j0) - 1, int(j0) + 2):
        for k in range(int(k0) - 1, int(k0) + 2):
            h = lattice_hash(0, j, k, seed)
            radius = 0.015 + 0.03 * uniform(h) ** 2
            h = next_hash(h)
            cy = (j + uniform(h)) * CANAL_CELL
            h = next_hash(h)
            cz = (k + uniform(h)) * CANAL_CELL
            wander = 0.08 * math.sin(2.0 * x + 6.28 * uniform(next_hash(h)))
            if (y - cy - wander) ** 2 + (z - cz - 0.7 * wander) ** 2 < radius * radius:
                return True
    return False


@njit(cache=True)
def _in_lacuna(x: float, y: float, z: float, seed: int) -> bool:
    """Osteocyte lacunae: one ellipsoid of semi-axes up to 9 × 5 × 5 µm, long along the bone, in each cell."""
    i, j, k = math.floor(x / LACUNA_CELL), math.floor(y / LACUNA_CELL), math.floor(z / LACUNA_CELL)
    h = lattice_hash(int(i), int(j), int(k), seed)
    size = 0.6 + 0.4 * uniform(h)
    h = next_hash(h)
    dx = x - (i + 0.25 + 0.5 * uniform(h)) * LACUNA_CELL
    h = next_hash(h)
    dy = y - (j + 0.25 + 0.5 * uniform(h)) * LACUNA_CELL
    h = next_hash(h)
    dz = z - (k + 0.25 + 0.5 * uniform(h)) * LACUNA_CELL
    return (dx / 0.009) ** 2 + (dy / 0.005) ** 2 + (dz / 0.005) ** 2 < size * size


@njit(cache=True)
def mineralisation(x: float, y: float, z: float, b: Bone) -> float:
    """Attenuation of bone relative to its mean: osteons differ in age."""
    return 1.0 + 0.25 * smooth(x / 0.6, y / 0.15, z / 0.15, b.seed_mineral)
