"""The explant as a continuous function of space: which material is at a point, and how it attenuates."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from ImplantSegLib.phantom.bone import GAP_REACH, Bone, contact_field, is_tissue, mineralisation, new_bone
from ImplantSegLib.phantom.corrosion import (
    RELIEF_MAX,
    SWELLING_MAX,
    Corrosion,
    is_void,
    mineral_share,
    relief,
    swelling,
)
from ImplantSegLib.phantom.noise import smooth
from ImplantSegLib.phantom.screw import ScrewShape, screw_distance

BACKGROUND, METAL, LAYER, BONE = 0, 1, 2, 3


class Attenuation(NamedTuple):
    """Linear attenuation coefficients in 1/cm at one energy."""

    fluid: float
    tissue: float
    metal: float
    hydroxide: float
    phosphate: float
    bone: float


ATTENUATION = {
    # NIST mass attenuation coefficients (doi 10.18434/T4D01F) times density: water 1.0 g/cm³; soft tissue and
    # marrow 0.98; magnesium 1.74; porous Mg(OH)2 1.45; carbonated calcium phosphate 1.75; cortical bone 1.92
    50: Attenuation(fluid=0.227, tissue=0.205, metal=0.573, hydroxide=0.385, phosphate=1.03, bone=0.814),
    60: Attenuation(fluid=0.206, tissue=0.190, metal=0.448, hydroxide=0.327, phosphate=0.78, bone=0.604),
}


class Explant(NamedTuple):
    """All that a point's material depends on."""

    screw: ScrewShape
    corrosion: Corrosion
    bone: Bone
    mu: Attenuation
    seed_tissue: int


@njit(cache=True)
def material(x: float, y: float, z: float, e: Explant) -> tuple[int, float, float]:
    """Material of a point (mm, the screw's frame).

    Returns
    -------
    label : int
        0 background, 1 residual material, 2 degradation layer, 3 bone.
    attenuation : float
        Linear attenuation coefficient in 1/cm.
    distance : float
        Signed distance to the original screw's surface, mm.
    """
    f = screw_distance(x, y, z, e.screw)
    if f < -RELIEF_MAX * e.corrosion.depth_scale:
        return METAL, e.mu.metal, f
    if f > SWELLING_MAX + GAP_REACH:
        return _tissue(x, y, z, f, e)
    depth = e.corrosion.depth_scale * relief(x, y, z, f, e.corrosion)
    if f < -depth:
        return METAL, e.mu.metal, f
    top = swelling(x, y, z, depth, e.corrosion)
    if f < top:
        if is_void(x, y, z, f, depth, top, e.corrosion):
            return BACKGROUND, e.mu.fluid, f
        share = mineral_share(x, y, z, f, depth, top, e.corrosion)
        return LAYER, e.mu.hydroxide + share * (e.mu.phosphate - e.mu.hydroxide), f
    zone = new_bone(f - top, contact_field(x, y, z, e.bone), e.bone)
    if zone == 0:
        return BACKGROUND, e.mu.fluid, f
    if zone == 1:
        # woven bone is less mineralised than the old
        return BONE, 0.9 * e.mu.bone * mineralisation(x, y, z, e.bone), f
    return _tissue(x, y, z, f, e)


@njit(cache=True)
def _tissue(x: float, y: float, z: float, f: float, e: Explant) -> tuple[int, float, float]:
    if is_tissue(x, y, z, e.bone):
        return BONE, e.mu.bone * mineralisation(x, y, z, e.bone), f
    fat = 0.06 * smooth(x / 0.3, y / 0.3, z / 0.3, e.seed_tissue)
    return BACKGROUND, e.mu.tissue * (1.0 + fat), f


@njit(cache=True)
def is_implant(x: float, y: float, z: float, e: Explant) -> bool:
    """Whether a point is metal or layer."""
    label = material(x, y, z, e)[0]
    return label in (METAL, LAYER)


@njit(cache=True)
def contact_level(x: float, y: float, z: float, e: Explant) -> float:
    """Contact field of a point on the implant's outer side; -inf for fluid inside the layer (cracks touch no bone)."""
    f = screw_distance(x, y, z, e.screw)
    depth = e.corrosion.depth_scale * relief(x, y, z, f, e.corrosion)
    outside = f >= swelling(x, y, z, depth, e.corrosion)
    return contact_field(x, y, z, e.bone) if outside else -math.inf
