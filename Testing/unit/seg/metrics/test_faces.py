import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ImplantSegLib.metrics import OUTSIDE, FaceCounter, contact_faces, count_faces, face_areas_mm2, surface_faces

LABELS = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.sampled_from([0, 1, 2, 3]))


def brute_force(labels, mask=None):
    table = np.zeros((3, 4, 4), np.int64)
    inside = np.ones(labels.shape, bool) if mask is None else np.broadcast_to(mask, labels.shape)
    for index in np.ndindex(labels.shape):
        for axis in range(3):
            other = tuple(np.add(index, np.eye(3, dtype=int)[axis]))
            if other[axis] < labels.shape[axis] and inside[index] and inside[other] and labels[index] != labels[other]:
                table[axis, labels[index], labels[other]] += 1
                table[axis, labels[other], labels[index]] += 1
    return table


@given(LABELS)
@settings(deadline=None, max_examples=60)
def test_table_equals_the_triple_loop(labels):
    np.testing.assert_array_equal(count_faces(labels), brute_force(labels))


@given(LABELS, st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_faces_out_of_the_mask_never_count(labels, seed):
    random = np.random.default_rng(seed)
    for shape in (labels.shape[1:], labels.shape):
        mask = random.random(shape) < 0.7
        np.testing.assert_array_equal(count_faces(labels, mask), brute_force(labels, mask))


def test_rows_longer_than_a_block_equal_the_triple_loop():
    labels = np.random.default_rng(0).choice(4, (3, 4, 150), p=[0.9, 0.04, 0.03, 0.03]).astype(np.uint8)
    np.testing.assert_array_equal(count_faces(labels), brute_force(labels))


def test_box_has_twice_the_sum_of_its_three_faces():
    labels = np.zeros((12, 14, 16), np.uint8)
    labels[2:7, 3:10, 4:13] = 1  # 5 × 7 × 9
    assert surface_faces(count_faces(labels), {1}).tolist() == [2 * 7 * 9, 2 * 5 * 9, 2 * 5 * 7]


def test_box_through_the_field_of_view_has_no_caps():
    labels = np.zeros((6, 14, 16), np.uint8)
    labels[:, 3:10, 4:13] = 1
    faces = surface_faces(count_faces(labels), {1})
    assert faces.sum() == 2 * (7 + 9) * 6
    assert faces[0] == 0


def test_sphere_has_twice_its_projections():
    radius = 40
    z, y, x = np.ogrid[-41.5:42, -41.5:42, -41.5:42]
    sphere = (z * z + y * y + x * x <= radius**2).astype(np.uint8)
    faces = surface_faces(count_faces(sphere), {1}).sum()
    assert faces == 2 * sum(sphere.any(axis=axis).sum() for axis in range(3))
    assert faces / (4 * np.pi * radius**2) == pytest.approx(1.4992, abs=5e-5)


def test_areas_of_anisotropic_faces():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[1:3, 1:4, 1:5] = 2  # 2 × 3 × 4 voxels of 1 × 2 × 3 mm: a box of 2 × 6 × 12 mm
    area = surface_faces(count_faces(labels), {2}) @ face_areas_mm2((1.0, 2.0, 3.0))
    assert area == 2 * (2 * 6 + 6 * 12 + 12 * 2)


def test_contact_is_between_the_two_sets_only():
    labels = np.array([[[1, 2, 3, 0, 1]]], np.uint8)
    table = count_faces(labels)
    assert contact_faces(table, {1, 2}, {3}).tolist() == [0, 0, 1]
    assert contact_faces(table, {1, 2}, {0}).tolist() == [0, 0, 1]
    assert surface_faces(table, {1, 2}).tolist() == [0, 0, 2]


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 100])
def test_slabs_of_any_depth_give_the_same_table(depth):
    labels = np.random.default_rng(1).integers(0, 4, (11, 9, 70)).astype(np.uint8)
    mask = np.random.default_rng(2).random((9, 70)) < 0.8
    counter = FaceCounter()
    for start in range(0, 11, depth):
        counter.add(labels[start : start + depth], mask)
    np.testing.assert_array_equal(counter.table(), count_faces(labels, mask))


def test_values_beyond_the_classes_never_count():
    labels = np.array([[[1, OUTSIDE, 3, 1, 255]]], np.uint8)
    assert count_faces(labels).sum() == 2


def test_empty_slabs_and_single_voxels_have_no_faces():
    counter = FaceCounter()
    counter.add(np.empty((0, 3, 3), np.uint8))
    counter.add(np.ones((1, 1, 1), np.uint8))
    assert counter.table().sum() == 0
