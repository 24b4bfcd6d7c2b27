import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegQuantLib.contact import ContactMeter, contact_by_faces
from ImplantSegQuantLib.gap import GapMeter
from ImplantSegQuantLib.trail import views

UM = (0.005, 0.005, 0.005)
LABELS = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.sampled_from([0, 1, 2, 3, OUTSIDE])
)


def contact_by_gap(labels, spacing_mm=UM, slab=32):
    gaps, contact = GapMeter(spacing_mm), ContactMeter()
    for meter in (gaps, contact):
        for view in views(np.asarray(labels, np.uint8), meter.halo, slab):
            meter.add(view)
    return gaps.curve(contact.contacts())


def slots(widths, axis):
    """Bone behind slots of some widths in voxels before a plane of metal, through the field of view."""
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:, :2] = 1
    for width, columns in zip(widths, np.split(np.arange(12), len(widths)), strict=True):
        labels[:, 2 + width :, columns] = 3
    return np.moveaxis(labels, 1, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plain_gap_closes_at_its_width(axis):
    curve = contact_by_gap(slots([2], axis))
    assert curve["gap_um"] == list(range(21))
    assert curve["percent"] == [0.0] * 10 + [100.0] * 11


def test_gaps_of_several_widths_close_one_after_the_other():
    percent = contact_by_gap(slots([0, 4], 1))["percent"]
    assert percent[0] == 50
    assert percent[5] == pytest.approx(50 + 100 / 12)  # the column beside the bone
    assert percent[20] == 100


def test_anisotropic_voxels_have_their_own_widths():
    labels = np.zeros((6, 6, 6))
    labels[:2], labels[4:] = 1, 3
    assert contact_by_gap(labels, (0.003, 0.1, 0.1))["percent"] == [0.0] * 6 + [100.0] * 15


@given(LABELS, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_the_curve_is_that_of_every_face_and_every_bone(labels, slab):
    spacing_mm = (0.007, 0.004, 0.005)
    faces = []
    bones_um = np.argwhere(labels == 3) * spacing_mm * 1000
    for index in np.argwhere((labels == 1) | (labels == 2)):
        for axis, step in enumerate(np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])):
            other = index + step
            if (other < 0).any() or (other >= labels.shape).any() or labels[tuple(other)] not in (0, 3):
                continue
            area = np.prod(spacing_mm) / spacing_mm[axis % 3]
            away = np.linalg.norm(bones_um - other * np.array(spacing_mm) * 1000, axis=1).min(initial=np.inf)
            faces.append((area, away))
    curve = contact_by_gap(labels, spacing_mm, slab)
    if not faces:
        assert curve is None
        return
    areas, away = np.array(faces).T
    wanted = [100 * areas[away <= gap + 1e-3].sum() / areas.sum() for gap in range(21)]
    np.testing.assert_allclose(curve["percent"], wanted, rtol=1e-9)


@pytest.mark.parametrize("slab", [1, 3, 64])
def test_slabs_of_any_depth_give_the_same_curve_which_starts_at_the_contact(slab):
    labels = np.random.default_rng(0).choice([0, 1, 2, 3], (20, 10, 10))
    labels[6:12] = np.where(labels[6:12] == 3, 0, labels[6:12])  # gaps longer than a slab
    spacing_mm = (0.005, 0.003, 0.004)
    curve = contact_by_gap(labels, spacing_mm, slab)
    assert curve == contact_by_gap(labels, spacing_mm, 20)
    meter = ContactMeter()
    for view in views(labels.astype(np.uint8), 1, 32):
        meter.add(view)
    assert curve["percent"][0] == contact_by_faces(meter.contacts().faces, spacing_mm)
    assert np.all(np.diff(curve["percent"]) >= 0)


def test_without_bone_nothing_is_bridged():
    labels = np.zeros((5, 5, 5))
    labels[2, 2, 2] = 1
    assert contact_by_gap(labels)["percent"] == [0.0] * 21
