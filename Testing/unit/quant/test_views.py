import numpy as np
import pytest

from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib import views


def test_small_volumes_are_not_reduced():
    labels = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    coarse = views.coarsen(Volume(labels, (0.1, 0.2, 0.2)), max_edge=50)
    assert coarse.block_mm == (0.1, 0.2, 0.2)
    for label in (1, 2, 3):
        np.testing.assert_array_equal(coarse.fractions[label] == 255, labels == label)


def test_blocks_hold_the_share_of_a_class():
    labels = np.zeros((4, 6, 7), np.uint8)
    labels[:2, :2, :2] = 1  # fills the first block
    labels[0, 2:4, 6:] = 3  # half of a block that the border cuts to half its width
    coarse = views.coarsen(Volume(labels), max_edge=4)
    assert coarse.block_mm == (2.0, 2.0, 2.0)
    assert coarse.fractions[1].shape == (2, 3, 4)
    assert coarse.fractions[1][0, 0, 0] == 255
    assert coarse.fractions[1].sum() == 255
    assert coarse.fractions[3][0, 1, 3] == 128
    assert not coarse.fractions[2].any()


@pytest.mark.parametrize("slab_bytes", [1, 2**26])
def test_blocks_do_not_depend_on_the_slabs(monkeypatch, slab_bytes):
    labels = np.random.default_rng(1).integers(0, 4, (31, 17, 40)).astype(np.uint8)
    expected = views.coarsen(Volume(labels, (0.3, 0.2, 0.1)), max_edge=9)
    monkeypatch.setattr(views, "_SLAB_BYTES", slab_bytes)
    coarse = views.coarsen(Volume(labels, (0.3, 0.2, 0.1)), max_edge=9)
    assert max(coarse.fractions[1].shape) <= 9
    for label in (1, 2, 3):
        np.testing.assert_array_equal(coarse.fractions[label], expected.fractions[label])


def test_blocks_are_nearly_cubes_in_mm():
    block = views.coarsen(Volume(np.zeros((50, 100, 400), np.uint8), (0.4, 0.2, 0.1)), max_edge=20).block_mm
    assert max(block) <= 1.5 * min(block)


def test_the_centre_is_the_centroid_of_the_implant():
    labels = np.full((20, 20, 20), 3, np.uint8)
    labels[4:8, 10:12, 2:6] = 1
    labels[4:8, 12:14, 2:6] = 2
    volume = Volume(labels, (0.5, 0.2, 0.1))
    centre = views.coarsen(volume).centre_mm()
    np.testing.assert_allclose(centre, (6 * 0.5, 12 * 0.2, 4 * 0.1))
    assert views.nearest_voxel(volume, centre) == (6, 12, 4)


def test_without_an_implant_the_centre_is_the_middle():
    volume = Volume(np.zeros((4, 6, 8), np.uint8), (0.5, 0.2, 0.1))
    np.testing.assert_allclose(views.coarsen(volume).centre_mm(), (1.0, 0.6, 0.4))


@pytest.mark.parametrize("slab_bytes", [1, 2**26])
def test_planes_are_those_of_the_array(monkeypatch, slab_bytes):
    monkeypatch.setattr(views, "_SLAB_BYTES", slab_bytes)
    array = np.random.default_rng(2).random((5, 6, 7))
    found = views.planes(Volume(array), (3, 2, 6))
    np.testing.assert_array_equal(found.xy, array[3])
    np.testing.assert_array_equal(found.xz, array[:, 2])
    np.testing.assert_array_equal(found.yz, array[:, :, 6])


@pytest.mark.parametrize("points", [5, 2**22])
def test_a_field_is_taken_at_voxel_centres_in_the_world(monkeypatch, points):
    monkeypatch.setattr(views, "_POINTS", points)
    tilted = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    volume = Volume(np.zeros((3, 4, 5)), (0.3, 0.2, 0.1), (7.0, 8.0, 9.0), tilted)
    weights = np.asarray((1.0, 10.0, 100.0))
    z, y, x = np.ogrid[:3, :4, :5]
    expected = (7.0 - 0.2 * y) + 10 * (8.0 + 0.1 * x) + 100 * (9.0 + 0.3 * z)
    found = views.field_planes(volume, (2, 1, 3), lambda world: world @ weights)
    np.testing.assert_allclose(found.xy, expected[2])
    np.testing.assert_allclose(found.xz, expected[:, 1])
    np.testing.assert_allclose(found.yz, expected[:, :, 3])
