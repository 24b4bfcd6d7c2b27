"""Whole measurements on shapes whose answer is a closed form, isotropic and anisotropic, whole and cut.

A case is a solid given by its exact signed distance; metal and layer are the solid within depths of it, bone a half of
what is around. What every number has to be stands beside the shape that gives it.
"""

import math

import numpy as np
import pytest

from ImplantSegLib.volumes import FieldOfView, Volume, write
from ImplantSegQuantLib.quantify import measure
from ImplantSegQuantLib.sample import Sample, survey

WEEKS = 12
YEARS = WEEKS * 7 / 365.25
ISOTROPIC, ANISOTROPIC = (0.02, 0.02, 0.02), (0.03, 0.02, 0.025)
EDGES = 2e-3
"""Share of its volume that a box of about 12 voxels gains or loses by its sharp edges; see docs/measures.md."""

SPACINGS = pytest.mark.parametrize("spacing_mm", [ISOTROPIC, ANISOTROPIC], ids=["isotropic", "anisotropic"])


def centred(shape, spacing_mm, offset=(0.0, 0.0, 0.0)):
    """Coordinates z, y, x in mm of the voxel centres, with 0 in the middle of the volume but for an offset."""
    axes = (
        (np.arange(n) - (n - 1) / 2) * step + shift for n, step, shift in zip(shape, spacing_mm, offset, strict=True)
    )
    return np.meshgrid(*axes, indexing="ij")


def values(labels, distance, spacing_mm, fov=None, weeks=WEEKS, roi_mm=1.0):
    sample = Sample(Volume(labels.astype(np.uint8), spacing_mm), fov or FieldOfView())
    field = distance.astype(np.float32)
    found = measure(sample, survey(sample), lambda z: field[z], weeks, roi_mm)
    return {entry.name: entry.value for entry in found.measurements}


def box_distance(z, y, x, half_mm):
    outside = np.stack([np.abs(axis) - half for axis, half in zip((z, y, x), half_mm, strict=True)])
    return np.linalg.norm(np.maximum(outside, 0), axis=0) + np.minimum(outside.max(axis=0), 0)


def projected_faces(inside, spacing_mm):
    """Area of the faces of an orthogonally convex solid: twice the sum of its three projections."""
    dz, dy, dx = spacing_mm
    areas = (dy * dx, dz * dx, dz * dy)
    return 2 * sum(int(inside.any(axis=axis).sum()) * area for axis, area in enumerate(areas))


@SPACINGS
def test_box_on_the_grid(spacing_mm):
    """8 × 10 × 12 voxels of metal in a box two voxels larger on each side; bone on one of its six sides."""
    shape, size, skin = (60, 60, 60), np.array([12, 14, 16]), 2
    half = size / 2 * np.array(spacing_mm)
    z, y, x = centred(shape, spacing_mm)
    reference = box_distance(z, y, x, half)
    metal = box_distance(z, y, x, half - skin * np.array(spacing_mm)) < 0
    labels = np.where(metal, 1, np.where(reference < 0, 2, np.where(z > half[0], 3, 0)))
    found = values(labels, reference, spacing_mm)
    voxel, (a, b, c) = float(np.prod(spacing_mm)), size * np.array(spacing_mm)
    area = 2 * (a * b + b * c + c * a)
    assert found["initial_volume"] == pytest.approx(np.prod(size) * voxel, rel=EDGES)
    assert found["residual_volume"] == pytest.approx(np.prod(size - 2 * skin) * voxel, rel=1e-12)
    assert found["initial_surface"] == pytest.approx(area, rel=1e-12)
    assert found["initial_surface"] == pytest.approx(projected_faces(reference < 0, spacing_mm), rel=1e-12)
    loss = float(np.prod(size) - np.prod(size - 2 * skin)) * voxel
    assert found["volume_loss"] == pytest.approx(loss, rel=2 * EDGES)
    assert found["degradation_rate"] == pytest.approx(loss / area / YEARS, rel=2 * EDGES)
    for kind in ("bone_implant_contact", "bone_implant_contact_without_pores"):
        assert found[kind] == pytest.approx(100 * b * c / area, rel=1e-9)
    inner = size - 2
    surface_voxels = int(np.prod(size) - np.prod(inner))
    assert found["bone_implant_contact_voxels"] == pytest.approx(100 * size[1] * size[2] / surface_voxels, rel=1e-9)
    region = reference <= 1.0 + 1e-6
    assert found["roi_volume"] == pytest.approx(int(region.sum()) * voxel, rel=1e-12)
    tissue = region & (reference >= 0)
    assert found["bone_volume_fraction"] == pytest.approx(100 * (tissue & (z > half[0])).sum() / tissue.sum(), rel=1e-9)
    thin, thick = sorted(skin * np.array(spacing_mm))[:: len(spacing_mm) - 1]
    assert 1000 * thin * 0.75 < found["degradation_layer_thickness"] < 1000 * thick * 1.6  # corners hold larger spheres


@SPACINGS
def test_box_through_the_field_of_view(spacing_mm):
    """Both ends are cut: 2 (a + b) · nz faces, and no bone at the ends makes contact."""
    shape, size = (9, 40, 44), np.array([10, 14])
    _, y, x = centred(shape, spacing_mm)
    half = size / 2 * np.array(spacing_mm[1:])
    flat = np.stack([np.abs(y) - half[0], np.abs(x) - half[1]])
    reference = np.linalg.norm(np.maximum(flat, 0), axis=0) + np.minimum(flat.max(axis=0), 0)
    labels = np.where(reference < 0, 1, np.where(x > half[1], 3, 0))
    found = values(labels, reference, spacing_mm)
    height, (a, b) = shape[0] * spacing_mm[0], 2 * half
    assert found["initial_volume"] == pytest.approx(a * b * height, rel=EDGES)
    assert found["initial_surface"] == pytest.approx(2 * (a + b) * height, rel=1e-12)
    edges = 4 * 0.5 * max(spacing_mm[1:]) * height  # each loses half a voxel at most
    assert 2 * (a + b) * height - edges < found["initial_surface_unbiased"] < 2 * (a + b) * height
    assert found["bone_implant_contact"] == pytest.approx(100 * a / (2 * (a + b)), rel=1e-9)


def halves(fov, tmp_path, shape):
    """A field of view that leaves the slab's half of y < 0: as a mask, or as the box of a cropped volume."""
    mask = np.zeros(shape, np.uint8)
    mask[:, shape[1] // 2 :] = 1
    write(Volume(mask), tmp_path / "mask.nrrd")
    return FieldOfView.parse(str(tmp_path / "mask.nrrd")) if fov == "mask" else None


@SPACINGS
@pytest.mark.parametrize("fov", ["whole", "box", "mask"])
def test_sphere_whole_and_cut_in_half(tmp_path, spacing_mm, fov):
    """A ball that has receded by 0.1 mm all over, bone on the side of high x."""
    radius, metal = 0.5, 0.4
    shape = tuple(2 * math.ceil(1.7 / step) for step in spacing_mm)
    z, y, x = centred(shape, spacing_mm)
    distance = np.sqrt(z**2 + y**2 + x**2)
    labels = np.where(distance < metal, 1, np.where(distance < radius, 2, np.where(x > 0, 3, 0)))
    reference, share = distance - radius, 1.0 if fov == "whole" else 0.5
    if fov == "box":
        labels, reference = labels[:, shape[1] // 2 :], reference[:, shape[1] // 2 :]
    found = values(labels, reference, spacing_mm, halves(fov, tmp_path, shape))
    volume, surface = share * 4 / 3 * np.pi * radius**3, share * 4 * np.pi * radius**2
    loss = volume - share * 4 / 3 * np.pi * metal**3
    assert found["initial_volume"] == pytest.approx(volume, rel=5e-4)
    assert found["residual_volume"] == pytest.approx(volume - loss, rel=5e-3)
    assert found["initial_surface_unbiased"] == pytest.approx(surface, rel=3e-3)
    # projections count both sides of the ball; of the cut half, the one along y only once
    assert found["initial_surface"] == pytest.approx(1.5 * surface, rel=0.02)
    if fov == "whole":
        assert found["initial_surface"] == pytest.approx(projected_faces(reference < 0, spacing_mm), rel=1e-12)
    assert found["degradation_rate_unbiased"] == pytest.approx(loss / surface / YEARS, rel=0.01)
    assert found["corrosion_depth"] == pytest.approx(1000 * (radius - metal), abs=2)
    assert found["degradation_layer_thickness"] == pytest.approx(1000 * (radius - metal), abs=20)
    for kind in ("", "_voxels", "_weighted", "_without_pores"):
        assert found[f"bone_implant_contact{kind}"] == pytest.approx(50, abs=2)
    assert found["bone_volume_fraction"] == pytest.approx(50, abs=0.5)
    assert found["roi_volume"] == pytest.approx(share * 4 / 3 * np.pi * (radius + 1) ** 3, rel=2e-3)


@SPACINGS
def test_hollow_shells(spacing_mm):
    """A shell between 0.3 and 0.5 mm that has lost 0.04 mm on both sides; its cavity is no contact but a pore."""
    outer, inner, lost = 0.5, 0.3, 0.04
    shape = tuple(2 * math.ceil(0.7 / step) for step in spacing_mm)
    z, y, x = centred(shape, spacing_mm)
    distance = np.sqrt(z**2 + y**2 + x**2)
    reference = np.abs(distance - (outer + inner) / 2) - (outer - inner) / 2
    labels = np.where(reference < -lost, 1, np.where(reference < 0, 2, np.where(distance > outer, 3, 0)))
    found = values(labels, reference, spacing_mm)
    volume, surface = 4 / 3 * np.pi * (outer**3 - inner**3), 4 * np.pi * (outer**2 + inner**2)
    metal = 4 / 3 * np.pi * ((outer - lost) ** 3 - (inner + lost) ** 3)
    assert found["initial_volume"] == pytest.approx(volume, rel=1e-3)
    assert found["residual_volume"] == pytest.approx(metal, rel=1e-2)
    assert found["initial_surface_unbiased"] == pytest.approx(surface, rel=5e-3)
    assert found["volume_loss_fraction"] == pytest.approx(100 * (1 - metal / volume), abs=0.6)
    assert found["degradation_rate_unbiased"] == pytest.approx((volume - metal) / surface / YEARS, rel=0.02)
    assert found["corrosion_depth"] == pytest.approx(1000 * lost, abs=2)
    share = 100 * outer**2 / (outer**2 + inner**2)
    assert found["bone_implant_contact"] == pytest.approx(share, abs=1)
    assert found["bone_implant_contact_weighted"] == pytest.approx(share, abs=1)
    assert found["bone_implant_contact_without_pores"] == 100


@SPACINGS
def test_circular_field_of_view_that_cuts_a_cylinder_across(spacing_mm):
    """A cylinder along x, 0.3 mm thick, in a circle of 0.6 mm: only its mantle inside the circle counts."""
    radius, circle = 0.3, 0.6
    shape = tuple(2 * math.ceil(length / step) for length, step in zip((0.5, 0.7, 0.7), spacing_mm, strict=True))
    if spacing_mm[1] != spacing_mm[2]:
        spacing_mm = (spacing_mm[0], spacing_mm[1], spacing_mm[1])  # a circle in voxels is one in mm only then
        shape = (shape[0], shape[1], shape[1])
    z, y, _ = centred(shape, spacing_mm)
    reference = np.hypot(z, y) - radius
    labels = np.where(reference < 0, 1, np.where(z > 0, 3, 0))
    view = FieldOfView(((shape[1] - 1) / 2, (shape[2] - 1) / 2, circle / spacing_mm[1]))
    found = values(labels, reference, spacing_mm, view, roi_mm=0.1)
    # chords of the circle along x, over the section and over the outline of the cylinder
    angle = np.linspace(0, 2 * np.pi, 20001)[:-1]
    surface = float(np.mean(2 * np.sqrt(circle**2 - (radius * np.sin(angle)) ** 2)) * 2 * np.pi * radius)
    across = np.linspace(-radius, radius, 20001)
    section = 2 * np.sqrt(radius**2 - across**2) * 2 * np.sqrt(circle**2 - across**2)
    volume = float(np.trapezoid(section, across))
    assert found["initial_volume"] == pytest.approx(volume, rel=2e-3)
    assert found["initial_surface_unbiased"] == pytest.approx(surface, rel=1e-2)
    assert found["bone_implant_contact_weighted"] == pytest.approx(50, abs=2)


def helix_distance(z, y, x, radius_mm, pitch_mm, thickness_mm):
    """Distance from a tube of a thickness about a helix: the nearest of many points on each of its turns."""
    slope = pitch_mm / (2 * np.pi)
    angle, r = np.arctan2(y, x), np.hypot(x, y)
    best = np.full(z.shape, np.inf)
    for turn in range(-4, 5):
        t = angle + 2 * np.pi * turn  # the point of the helix at the same angle, then Newton along it
        for _ in range(6):
            first = r * radius_mm * np.sin(t - angle) + slope * (slope * t - z)
            second = r * radius_mm * np.cos(t - angle) + slope**2
            t = t - first / np.where(np.abs(second) > 1e-6, second, 1e-6)
        square = r**2 + radius_mm**2 - 2 * r * radius_mm * np.cos(t - angle) + (z - slope * t) ** 2
        best = np.minimum(best, square)
    return np.sqrt(best) - thickness_mm


@SPACINGS
def test_a_helical_tube_by_pappus(spacing_mm):
    """Two turns through the field of view: volume π a² · L and surface 2π a · L with L the length of the helix."""
    radius, pitch, tube, metal, turns = 0.4, 0.5, 0.14, 0.1, 2
    slices = round(turns * pitch / spacing_mm[0])
    shape = (slices, *(2 * math.ceil(0.7 / step) for step in spacing_mm[1:]))
    distance = helix_distance(*centred(shape, spacing_mm), radius, pitch, 0.0)
    labels = np.where(distance < metal, 1, np.where(distance < tube, 2, 3))
    found = values(labels, distance - tube, spacing_mm, roi_mm=0.2)
    height = slices * spacing_mm[0]
    length = math.hypot(2 * np.pi * radius, pitch) * height / pitch
    assert found["initial_volume"] == pytest.approx(np.pi * tube**2 * length, rel=2e-3)
    assert found["initial_surface_unbiased"] == pytest.approx(2 * np.pi * tube * length, rel=1e-2)
    assert found["residual_volume"] == pytest.approx(np.pi * metal**2 * length, rel=1e-2)
    rate = (tube**2 - metal**2) / (2 * tube) / YEARS
    assert found["degradation_rate_unbiased"] == pytest.approx(rate, rel=0.02)
    assert found["corrosion_depth"] == pytest.approx(1000 * (tube - metal), abs=2)
    assert found["bone_implant_contact"] == 100


def test_a_slab_that_recedes_a_tenth_of_a_millimetre_in_a_tenth_of_a_year():
    """Between two cut planes, from one side: 0.1 mm in 36.525 days are 1.000 mm/a."""
    z = (np.arange(40) - 19.5) * 0.02
    reference = np.broadcast_to((z - 0.2)[:, None, None], (40, 20, 20))
    labels = np.where(reference < -0.1, 1, 0)
    found = values(labels, reference, ISOTROPIC, weeks=36.525 / 7)
    assert found["degradation_rate"] == pytest.approx(1.0, rel=1e-5)
    assert found["degradation_rate_unbiased"] == pytest.approx(1.0, rel=1e-5)
    assert found["corrosion_depth"] == pytest.approx(100, abs=1e-3)


def test_an_implant_that_touches_every_border_has_its_own_surface_only():
    """A plate from border to border: its two faces are surface, its four rims are cut planes."""
    labels = np.zeros((20, 15, 17), int)
    labels[8:12] = 1
    labels[12:] = 3
    reference = np.broadcast_to((np.abs(np.arange(20) - 9.5) * 0.02 - 0.04)[:, None, None], labels.shape)
    found = values(labels, reference, ISOTROPIC)
    plane = 15 * 17 * 0.02**2
    assert found["initial_volume"] == pytest.approx(4 * 0.02 * plane, rel=1e-5)
    assert found["initial_surface"] == pytest.approx(2 * plane, rel=1e-12)
    assert found["initial_surface_unbiased"] == pytest.approx(2 * plane, rel=1e-5)
    assert found["bone_implant_contact"] == 50
    assert found["bone_implant_contact_weighted"] == pytest.approx(50)
