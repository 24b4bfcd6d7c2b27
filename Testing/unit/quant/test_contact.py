import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.contact import (
    Implant,
    contact_by_faces,
    contact_by_normals,
    contact_by_voxels,
    contact_without_pores,
    cut_out,
)
from ImplantSegQuantLib.contact_kernels import remove_pores
from ImplantSegQuantLib.sample import Sample

LABELS = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.sampled_from([0, 1, 2, 3, OUTSIDE])
)


def implant(labels, spacing_mm=(1.0, 1.0, 1.0)):
    return Implant(np.array(labels, np.uint8), (slice(0),) * 3, spacing_mm)


def test_bar_between_bone_and_background():
    labels = np.zeros((4, 9, 12), np.uint8)
    labels[:, 3:6, 4:8] = 1  # through the field of view: a surface of 2 (3 + 4) faces in each slice
    labels[:, :3] = 3  # bone on one side of four faces
    assert contact_by_faces(implant(labels)) == pytest.approx(100 * 4 / 14)
    assert contact_by_voxels(implant(labels)) == pytest.approx(100 * 4 / 10)
    assert contact_without_pores(implant(labels)) == pytest.approx(100 * 4 / 14)


def test_faces_count_with_their_area():
    labels = np.zeros((3, 3, 4), np.uint8)
    labels[1, 1, 1:3] = 2
    labels[0] = 3  # faces of 2 × 3 mm below; all others: 1 × 2 and 1 × 3 mm
    area = {"bone": 2 * 6, "rest": 2 * 6 + 4 * 3 + 2 * 2}
    wanted = 100 * area["bone"] / (area["bone"] + area["rest"])
    assert contact_by_faces(implant(labels, (1.0, 2.0, 3.0))) == pytest.approx(wanted)


@given(LABELS)
@settings(max_examples=60)
def test_counts_equal_the_triple_loop(labels):
    faces = {0: 0, 3: 0}
    voxels = {"bone": 0, "all": 0}
    for index in np.argwhere((labels == 1) | (labels == 2)):
        touched = set()
        for step in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)]):
            other = index + step
            if np.all(other >= 0) and np.all(other < labels.shape) and labels[tuple(other)] in (0, 3):
                touched.add(int(labels[tuple(other)]))
                faces[int(labels[tuple(other)])] += 1
        voxels["bone"] += 3 in touched
        voxels["all"] += bool(touched)
    total = sum(faces.values())
    by_faces, by_voxels = contact_by_faces(implant(labels)), contact_by_voxels(implant(labels))
    assert by_faces == (pytest.approx(100 * faces[3] / total) if total else None)
    assert by_voxels == (pytest.approx(100 * voxels["bone"] / voxels["all"]) if total else None)


def test_normals_do_not_see_how_the_sample_lies():
    """Bone in a cone of 120° round a sphere: about an axis, where the surface has few steps, or between, with many."""
    z, y, x = (axis - 24.8 for axis in np.ogrid[:50, :50, :50])
    radius = np.sqrt(z * z + y * y + x * x)
    cones = [
        np.where(radius <= 20, 1, np.where(height > 0.5 * radius, 3, 0))
        for height in (z + 0 * radius, (z + y + x) / np.sqrt(3))
    ]
    for labels in cones:
        assert contact_by_normals(implant(labels)) == pytest.approx(25, abs=0.3)
    assert abs(contact_by_faces(implant(cones[0])) - contact_by_faces(implant(cones[1]))) > 1  # the fixture


def test_normals_with_anisotropic_voxels_and_cut_planes():
    y, x = np.arange(60), np.arange(120)
    radius = np.hypot((y[:, None] - 30) * 1.0, (x - 60) * 0.5)
    section = np.where(radius <= 18, 2, np.where(x[None, :] * 0.5 - 30 > 9, 3, 0))
    labels = np.broadcast_to(section, (20, 60, 120))
    assert contact_by_normals(implant(labels, (2.0, 1.0, 0.5))) == pytest.approx(100 * 120 / 360, abs=0.6)


@pytest.mark.parametrize("slab", [1, 5, 64])
def test_slabs_of_any_depth_give_the_same_bits(slab):
    noise = np.random.default_rng(0).random((30, 20, 20))
    labels = np.digitize(ndimage.gaussian_filter(noise, 2), [0.47, 0.49, 0.52]).astype(np.uint8)
    assert {1, 2, 3} <= set(np.unique(labels))
    for how in (contact_by_faces, contact_by_voxels, contact_by_normals, contact_without_pores):
        assert how(implant(labels), slab) == how(implant(labels), 30)


@given(LABELS)
@settings(max_examples=60)
def test_pores_are_the_components_that_reach_nothing(labels):
    components, count = ndimage.label((labels != 1) & (labels != 2))
    border = np.ones(labels.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    wanted = labels.copy()
    for number in range(1, count + 1):
        component = components == number
        if not (component & (border | (labels == OUTSIDE))).any():
            wanted[component] = OUTSIDE
    found = labels.copy()
    pores = remove_pores(found)
    np.testing.assert_array_equal(found, wanted)
    assert pores == np.sum((wanted == OUTSIDE) & (labels != OUTSIDE))


def test_gap_between_implant_and_bone_is_no_pore():
    labels = np.full((9, 9, 9), 3, np.uint8)
    labels[2:7, 2:7, 2:7] = 1
    labels[4, 4, 4] = 0  # a pore: 6 faces to background
    labels[2, 4, 4] = 0  # a pocket under the bone: 5 faces to background
    surface = 6 * 25 + 4 + 6
    assert contact_by_faces(implant(labels)) == pytest.approx(100 * 149 / surface)
    assert contact_without_pores(implant(labels)) == pytest.approx(100 * 149 / (surface - 6))


def test_only_implant_in_the_region_of_interest_counts():
    labels = np.full((20, 20, 40), 3, np.uint8)
    labels[8:12, 8:12, 5:9] = 1
    labels[8:12, 8:12, 30:34] = 2  # an island in far bone
    labels[8:12, 8:12, 4] = 0
    region = np.broadcast_to(np.arange(40) < 20, labels.shape)
    sample = Sample(Volume(labels, (1.0, 1.0, 1.0)), FieldOfView())
    cut = cut_out(sample, lambda z: region[z], (slice(8, 12), slice(8, 12), slice(5, 9)))
    assert not np.isin(cut.labels, 2).any()
    assert contact_by_faces(cut) == pytest.approx(100 * 5 / 6)


def test_the_field_of_view_is_neither_bone_nor_background():
    labels = np.zeros((10, 21, 21), np.uint8)
    labels[:, 8:13, 8:] = 1
    fov = FieldOfView.parse("circle:10,10,8")
    sample = Sample(Volume(labels, (1.0, 1.0, 1.0)), fov)
    cut = cut_out(
        sample, lambda z: np.ones((z.stop - z.start, 21, 21), bool), (slice(0, 10), slice(8, 13), slice(8, 19))
    )
    cut.labels[cut.labels == 0] = 3
    assert contact_by_faces(cut) == 100


def test_without_surface_contact_is_undefined():
    everything = np.ones((3, 3, 3))
    for how in (contact_by_faces, contact_by_voxels, contact_by_normals, contact_without_pores):
        assert how(implant(everything)) is None
