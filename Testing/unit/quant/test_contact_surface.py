import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib.contact import ContactMeter, contact_by_faces
from ImplantSegQuantLib.contact_surface import contact_surface
from ImplantSegQuantLib.cut import Implant
from ImplantSegQuantLib.trail import views

LABELS = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.sampled_from([0, 1, 2, 3, OUTSIDE])
)


def implant(labels, spacing_mm=(1.0, 1.0, 1.0), start=(0, 0, 0)):
    box = tuple(slice(first, first + n) for first, n in zip(start, labels.shape, strict=True))
    return Implant(np.array(labels, np.uint8), box, spacing_mm)


def by_faces(labels, spacing_mm=(1.0, 1.0, 1.0)):
    meter = ContactMeter()
    for view in views(np.asarray(labels, np.uint8), meter.halo, 32):
        meter.add(view)
    return contact_by_faces(meter.contacts().faces, spacing_mm)


def ball(radius=8.0, n=24):
    z, y, x = np.indices((n, n, n)) - (n - 1) / 2
    return np.where(z * z + y * y + x * x < radius**2, 1, np.where(x > 0, 3, 0))


def enclosed_mm3(surface):
    corners = surface.points_mm.astype(float)[surface.cells]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])
    return float((corners.mean(axis=1) * areas).sum()) / 3


@given(LABELS)
@settings(max_examples=60)
def test_the_share_of_cells_in_contact_is_the_contact(labels):
    surface = contact_surface(implant(labels), np.eye(4), slab=2)
    wanted = by_faces(labels)
    if wanted is None:
        assert len(surface.cells) == 0
        return
    contact = surface.cell_data["contact"]
    assert 100.0 * (int(contact.sum()) / len(contact)) == wanted == surface.facts["bone_implant_contact_percent"]


def test_cells_weigh_with_their_area_where_voxels_are_no_cubes():
    spacing = (1.0, 0.5, 0.25)
    volume = Volume(ball(), spacing)
    surface = contact_surface(implant(volume.array, spacing), volume.index_to_world)
    corners = surface.points_mm.astype(float)[surface.cells]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]), axis=1)
    wanted = by_faces(volume.array, spacing)
    assert 100 * np.average(surface.cell_data["contact"], weights=areas) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("direction", [np.eye(3), np.diag([-1.0, 1, 1]), np.eye(3)[[1, 2, 0]]])
def test_the_surface_closes_round_the_implant_and_looks_outwards_in_any_world(direction):
    volume = Volume(ball(), (0.5, 0.25, 0.2), (3.0, -2.0, 7.0), tuple(map(tuple, direction)))
    surface = contact_surface(implant(volume.array, volume.spacing_mm), volume.index_to_world)
    implant_mm3 = (volume.array == 1).sum() * volume.voxel_volume_mm3
    assert enclosed_mm3(surface) == pytest.approx(implant_mm3, rel=1e-4)
    assert len(np.unique(surface.points_mm, axis=0)) == len(surface.points_mm)


def test_a_face_lies_between_its_two_voxels_in_the_world():
    labels = np.zeros((3, 3, 3))
    labels[1, 1, 1], labels[1, 1, 2] = 1, 3
    volume = Volume(np.zeros((9, 9, 9)), (0.5, 0.25, 0.2), (3.0, -2.0, 7.0))
    surface = contact_surface(implant(labels, volume.spacing_mm, (2, 3, 4)), volume.index_to_world)
    (face,) = surface.points_mm[surface.cells[surface.cell_data["contact"] == 1]]
    np.testing.assert_allclose(face.mean(axis=0), [3 + 5.5 * 0.2, -2 + 4 * 0.25, 7 + 3 * 0.5], rtol=1e-6)
    assert len(surface.cells) == 6


def test_too_many_faces_are_drawn_by_blocks_and_the_contact_stays(caplog):
    exact = contact_surface(implant(ball()), np.eye(4))
    coarse = contact_surface(implant(ball()), np.eye(4), max_faces=len(exact.cells) // 3)
    assert len(coarse.cells) <= len(exact.cells) // 3
    assert coarse.facts["block_voxels"] == 2
    assert "blocks of 2³ voxels" in caplog.text
    assert coarse.facts["bone_implant_contact_percent"] == exact.facts["bone_implant_contact_percent"]
    assert enclosed_mm3(coarse) == pytest.approx((ball() == 1).sum(), rel=0.1)
    assert coarse.cell_data["contact"].mean() == pytest.approx(exact.cell_data["contact"].mean(), abs=0.02)
    np.testing.assert_allclose(np.ptp(coarse.points_mm, axis=0), np.ptp(exact.points_mm, axis=0), atol=2)


@pytest.mark.parametrize("slab", [1, 5])
def test_slabs_of_any_depth_give_the_same_faces(slab):
    labels = np.random.default_rng(0).choice([0, 1, 2, 3, OUTSIDE], (17, 8, 9))
    surfaces = [contact_surface(implant(labels), np.eye(4), depth) for depth in (slab, 32)]
    faces = [np.hstack([s.points_mm[s.cells].reshape(-1, 12), s.cell_data["contact"][:, None]]) for s in surfaces]
    np.testing.assert_array_equal(*(np.unique(rows, axis=0) for rows in faces))


def test_no_implant_has_no_surface():
    surface = contact_surface(implant(np.full((4, 4, 4), 3)), np.eye(4))
    assert len(surface.cells) == len(surface.points_mm) == 0
