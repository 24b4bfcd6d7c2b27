import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegLib.threads import VARIABLE
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.contact import ContactMeter, contact_by_faces, contact_by_voxels
from ImplantSegQuantLib.cut import cut_out
from ImplantSegQuantLib.normals import NormalMeter
from ImplantSegQuantLib.pores import PoreMeter
from ImplantSegQuantLib.sample import Sample
from ImplantSegQuantLib.trail import views

LABELS = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.sampled_from([0, 1, 2, 3, OUTSIDE])
)
SLABS = st.integers(1, 7)


def fed(meter, labels, slab=32):
    for view in views(np.asarray(labels, np.uint8), meter.halo, slab):
        meter.add(view)
    return meter


def by_faces(labels, spacing_mm=(1.0, 1.0, 1.0), slab=32):
    return contact_by_faces(fed(ContactMeter(), labels, slab).contacts().faces, spacing_mm)


def by_voxels(labels, spacing_mm=(1.0, 1.0, 1.0), slab=32):
    return contact_by_voxels(fed(ContactMeter(), labels, slab).contacts().voxels)


def by_normals(labels, spacing_mm=(1.0, 1.0, 1.0), slab=32):
    return fed(NormalMeter(spacing_mm), labels, slab).percent()


def without_pores(labels, spacing_mm=(1.0, 1.0, 1.0), slab=32):
    faces = fed(ContactMeter(), labels, slab).contacts().faces - fed(PoreMeter(), labels, slab).faces()
    return contact_by_faces(faces, spacing_mm)


WAYS = (by_faces, by_voxels, by_normals, without_pores)


def neighbours(labels, index):
    """Axis and label of the six neighbours of a voxel that exist."""
    for axis, step in enumerate(np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])):
        other = np.array(index) + step
        if np.all(other >= 0) and np.all(other < labels.shape) and labels[tuple(other)] != OUTSIDE:
            yield axis % 3, labels[tuple(other)]


def test_bar_between_bone_and_background():
    labels = np.zeros((4, 9, 12), np.uint8)
    labels[:, 3:6, 4:8] = 1  # through the field of view: a surface of 2 (3 + 4) faces in each slice
    labels[:, :3] = 3  # bone on one side of four faces
    assert by_faces(labels) == pytest.approx(100 * 4 / 14)
    assert by_voxels(labels) == pytest.approx(100 * 4 / 10)
    assert without_pores(labels) == pytest.approx(100 * 4 / 14)


def test_faces_count_with_their_area():
    labels = np.zeros((3, 3, 4), np.uint8)
    labels[1, 1, 1:3] = 2
    labels[0] = 3  # faces of 2 × 3 mm below; all others: 1 × 2 and 1 × 3 mm
    area = {"bone": 2 * 6, "rest": 2 * 6 + 4 * 3 + 2 * 2}
    wanted = 100 * area["bone"] / (area["bone"] + area["rest"])
    assert by_faces(labels, (1.0, 2.0, 3.0)) == pytest.approx(wanted)


@given(LABELS, SLABS)
@settings(max_examples=60, deadline=None)
def test_counts_equal_the_triple_loop(labels, slab):
    faces, voxels = np.zeros((3, 2), int), np.zeros(2, int)
    for index in np.argwhere((labels == 1) | (labels == 2)):
        touched = [(axis, label) for axis, label in neighbours(labels, index) if label in (0, 3)]
        for axis, label in touched:
            faces[axis, 0 if label == 3 else 1] += 1
        voxels += [any(label == 3 for _, label in touched), bool(touched)]
    found = fed(ContactMeter(), labels, slab).contacts()
    np.testing.assert_array_equal(found.faces, faces)
    np.testing.assert_array_equal(found.voxels, voxels)


@given(LABELS, SLABS)
@settings(max_examples=100, deadline=None)
def test_pores_are_the_components_that_reach_nothing(labels, slab):
    components, count = ndimage.label(np.isin(labels, (0, 3)))
    border = np.ones(labels.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    beyond = border | ndimage.binary_dilation(labels == OUTSIDE)
    wanted = np.zeros((3, 2), int)
    for number in range(1, count + 1):
        if (beyond & (components == number)).any():
            continue
        for index in np.argwhere(components == number):
            for axis, label in neighbours(labels, index):
                wanted[axis, 0 if labels[tuple(index)] == 3 else 1] += label in (1, 2)
    np.testing.assert_array_equal(fed(PoreMeter(), labels, slab).faces(), wanted)


@pytest.mark.parametrize("slab", [1, 2, 5, 12])
def test_a_pore_that_winds_through_many_slabs_is_one_until_it_opens(slab):
    labels = np.ones((12, 9, 9), np.uint8)
    labels[2:10, 2, 2] = labels[2:10, 6, 6] = 0  # two shafts
    labels[9, 2:7, 2] = labels[9, 6, 2:7] = 3  # joined at the top only
    faces = fed(PoreMeter(), labels, slab).faces()
    assert faces.sum() == fed(ContactMeter(), labels).contacts().faces.sum() > 0
    labels[:3, 6, 6] = 0  # one of them opens at the bottom: now neither is a pore
    assert fed(PoreMeter(), labels, slab).faces().sum() == 0


@pytest.mark.parametrize("slab", [1, 3, 8])
def test_a_cavity_below_an_end_of_the_implant_is_open(slab):
    labels = np.zeros((8, 9, 9), np.uint8)
    labels[1:4, 1:8, 1:8] = 1
    labels[2:4, 4, 4] = 0  # a blind hole that opens upwards, where no implant is
    assert fed(PoreMeter(), labels, slab).faces().sum() == 0
    labels[3, 4, 4] = 2  # closed by a lid
    assert fed(PoreMeter(), labels, slab).faces().sum() == 6


def test_normals_equal_a_dense_calculation():
    """The same by scipy's Gaussian over the whole array; the tiles and their borders must not show."""
    noise = ndimage.gaussian_filter(np.random.default_rng(1).random((20, 70, 50)), 2)
    labels = np.digitize(noise, [0.47, 0.49, 0.52]).astype(np.uint8)
    labels[:, :, 45:] = labels[:4, 30:36, 30:36] = OUTSIDE
    spacing = (1.0, 0.5, 0.8)
    exists, implant = labels != OUTSIDE, np.isin(labels, (1, 2))
    sigma = [1.5 * max(spacing) / step for step in spacing]
    share, known = (
        ndimage.gaussian_filter(part.astype(float), sigma, mode="constant", truncate=4) for part in (implant, exists)
    )
    share = np.where(exists, share / np.maximum(known, 1e-9), np.nan)
    sums = {3: 0.0, 0: 0.0}
    slopes = [_central(share, axis) / spacing[axis] for axis in range(3)]
    for axis in range(3):
        low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        high = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        along = (share[high] - share[low]) / spacing[axis]
        across = [0.5 * (slopes[k][low] + slopes[k][high]) for k in range(3) if k != axis]
        cosine = np.abs(along) / np.sqrt(along**2 + across[0] ** 2 + across[1] ** 2)
        for kind in sums:
            face = implant[low] & (labels[high] == kind) | implant[high] & (labels[low] == kind)
            sums[kind] += cosine[face].sum() * np.prod(spacing) / spacing[axis]
    wanted = 100 * sums[3] / (sums[3] + sums[0])
    assert by_normals(labels, spacing) == pytest.approx(wanted, rel=1e-5)


def _central(values, axis):
    """Central differences, one-sided beside what is not a number."""
    padded = np.pad(values, [(int(k == axis),) * 2 for k in range(3)], constant_values=np.nan)
    low, high = np.delete(padded, [-1, -2], axis), np.delete(padded, [0, 1], axis)
    width = np.isfinite(low).astype(int) + np.isfinite(high)
    rise = np.where(np.isfinite(high), high, values) - np.where(np.isfinite(low), low, values)
    return np.divide(rise, width, out=np.zeros_like(values), where=width > 0)


def test_normals_do_not_see_how_the_sample_lies():
    """Bone in a cone of 120° round a sphere: about an axis, where the surface has few steps, or between, with many."""
    z, y, x = (axis - 24.8 for axis in np.ogrid[:50, :50, :50])
    radius = np.sqrt(z * z + y * y + x * x)
    cones = [
        np.where(radius <= 20, 1, np.where(height > 0.5 * radius, 3, 0))
        for height in (z + 0 * radius, (z + y + x) / np.sqrt(3))
    ]
    for labels in cones:
        assert by_normals(labels) == pytest.approx(25, abs=0.3)
    assert abs(by_faces(cones[0]) - by_faces(cones[1])) > 1  # the fixture


def test_normals_with_anisotropic_voxels_and_cut_planes():
    y, x = np.arange(60), np.arange(120)
    radius = np.hypot((y[:, None] - 30) * 1.0, (x - 60) * 0.5)
    section = np.where(radius <= 18, 2, np.where(x[None, :] * 0.5 - 30 > 9, 3, 0))
    labels = np.broadcast_to(section, (20, 60, 120))
    assert by_normals(labels, (2.0, 1.0, 0.5)) == pytest.approx(100 * 120 / 360, abs=0.6)


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("slab", [1, 5, 64])
def test_slabs_and_threads_of_any_number_give_the_same_bits(monkeypatch, slab, threads):
    noise = np.random.default_rng(0).random((30, 50, 40))
    labels = np.digitize(ndimage.gaussian_filter(noise, 2), [0.47, 0.49, 0.52]).astype(np.uint8)
    assert {1, 2, 3} <= set(np.unique(labels))
    wanted = [how(labels, (1.5, 1.0, 0.7)) for how in WAYS]
    monkeypatch.setenv(VARIABLE, threads)
    assert [how(labels, (1.5, 1.0, 0.7), slab) for how in WAYS] == wanted


def test_gap_between_implant_and_bone_is_no_pore():
    labels = np.full((9, 9, 9), 3, np.uint8)
    labels[2:7, 2:7, 2:7] = 1
    labels[4, 4, 4] = 0  # a pore: 6 faces to background
    labels[2, 4, 4] = 0  # a pocket under the bone: 5 faces to background
    surface = 6 * 25 + 4 + 6
    assert by_faces(labels) == pytest.approx(100 * 149 / surface)
    assert without_pores(labels) == pytest.approx(100 * 149 / (surface - 6))


def test_only_implant_in_the_region_of_interest_counts():
    labels = np.full((20, 20, 40), 3, np.uint8)
    labels[8:12, 8:12, 5:9] = 1
    labels[8:12, 8:12, 30:34] = 2  # an island in far bone
    labels[8:12, 8:12, 4] = 0
    region = np.broadcast_to(np.arange(40) < 20, labels.shape)
    sample = Sample(Volume(labels, (1.0, 1.0, 1.0)), FieldOfView())
    cut = cut_out(sample, lambda z: region[z], (slice(8, 12), slice(8, 12), slice(5, 9)))
    assert not np.isin(cut.labels[:], 2).any()
    assert by_faces(cut.labels[:]) == pytest.approx(100 * 5 / 6)


def test_the_field_of_view_is_neither_bone_nor_background():
    labels = np.zeros((10, 21, 21), np.uint8)
    labels[:, 8:13, 8:] = 1
    fov = FieldOfView.parse("circle:10,10,8")
    sample = Sample(Volume(labels, (1.0, 1.0, 1.0)), fov)
    cut = cut_out(
        sample, lambda z: np.ones((z.stop - z.start, 21, 21), bool), (slice(0, 10), slice(8, 13), slice(8, 19))
    )
    seen = cut.labels[:]
    seen[seen == 0] = 3
    assert by_faces(seen) == 100


def test_without_surface_contact_is_undefined():
    everything = np.ones((3, 3, 3))
    for how in WAYS:
        assert how(everything) is None
