"""Boundary error against closed forms and against all pairs of surface voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ImplantSegLib.metrics import (
    boundary_beyond_percent,
    boundary_counts,
    boundary_mean_um,
    boundary_percentile_um,
    search_steps,
    surface_bits,
)

BOTH = np.ones(4, bool)


def measured(prediction, truth, spacing_mm, mask=None, voxels=20.0):
    where = search_steps(spacing_mm, voxels)
    bits = surface_bits(prediction, truth, mask, slice(0, truth.shape[0]))
    return boundary_counts(bits, slice(0, truth.shape[0]), where), where


def half_space(shape, axis, first):
    return (np.indices(shape)[axis] >= first).astype(np.uint8)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_shifted_plane_is_off_by_its_shift_in_anisotropic_voxels(axis, shift):
    spacing_mm, shape = (0.03, 0.02, 0.01), (16, 17, 18)
    counts, where = measured(half_space(shape, axis, 5 + shift), half_space(shape, axis, 5), spacing_mm)
    wanted = pytest.approx(1000 * shift * spacing_mm[axis], abs=1e-5)
    for scores in (boundary_mean_um(counts, where, BOTH), boundary_percentile_um(counts, where, BOTH)):
        assert scores["background"] == scores["residual_material"] == wanted
        assert scores["bone"] is None


def ball(radius, centre=(20, 20, 20), size=41):
    return (sum((axis - c) ** 2 for axis, c in zip(np.indices((size,) * 3), centre, strict=True)) < radius**2).astype(
        np.uint8
    )


def test_concentric_balls_differ_by_their_radii():
    counts, where = measured(ball(16), ball(12), (0.01,) * 3)
    assert boundary_mean_um(counts, where, BOTH)["residual_material"] == pytest.approx(40, abs=1.5)
    assert 38 < boundary_percentile_um(counts, where, BOTH)["residual_material"] < 48  # to a voxel's half diagonal


def test_mean_over_unlike_shares_of_a_surface():
    """A plane of 10 × 20 voxels, a half of which is 4 voxels off: 0 and 4 voxels, the step's edge left out."""
    shape = (12, 10, 40)
    truth, prediction = half_space(shape, 0, 3), half_space(shape, 0, 3)
    prediction[3:7, :, 20:] = 0
    counts, where = measured(prediction, truth, (0.01,) * 3)
    assert boundary_percentile_um(counts, where, BOTH)["residual_material"] == 40
    assert boundary_mean_um(counts, where, BOTH)["residual_material"] == pytest.approx(20, abs=2)


def test_what_is_farther_than_the_reach_counts_with_the_reach():
    truth, prediction = np.zeros((3, 3, 30), np.uint8), np.zeros((3, 3, 30), np.uint8)
    truth[1, 1, [2, 25]], prediction[1, 1, 2] = 1, 1
    counts, where = measured(prediction, truth, (0.01,) * 3, voxels=5)
    assert boundary_beyond_percent(counts, BOTH)["residual_material"] == pytest.approx(100 / 3)
    assert boundary_mean_um(counts, where, BOTH)["residual_material"] == pytest.approx(50 / 3)
    assert boundary_percentile_um(counts, where, BOTH)["residual_material"] == pytest.approx(50)


def test_blocks_without_a_surface_hide_none_within_reach():
    random, spacing_mm = np.random.default_rng(5), (0.01, 0.02, 0.01)
    truth, prediction = np.zeros((40, 30, 50), np.uint8), np.zeros((40, 30, 50), np.uint8)
    for labels, count in ((truth, 40), (prediction, 3)):
        labels[tuple(random.integers(n, size=count) for n in labels.shape)] = 3
    counts, where = measured(prediction, truth, spacing_mm, voxels=15)
    one, other = (1000 * np.argwhere(labels == 3) * spacing_mm for labels in (prediction, truth))
    pairs = np.linalg.norm(one[:, None] - other[None], axis=2)
    nearest = np.concatenate([pairs.min(axis=1), pairs.min(axis=0)])
    far = nearest > where.lengths_um[-1]
    assert 0 < far.sum() < far.size
    assert len(where.steps) > 1000  # else no block is ever asked
    np.testing.assert_array_equal(
        np.repeat(where.lengths_um, counts[3]), np.sort(np.where(far, where.lengths_um[-1], nearest.round(6)))
    )


def test_a_class_that_one_of_them_lacks_is_undefined():
    counts, where = measured(ball(5, size=41), np.zeros((41, 41, 41), np.uint8), (0.01,) * 3)
    present = np.array([True, False, False, False])
    assert boundary_mean_um(counts, where, present)["residual_material"] is None
    assert boundary_percentile_um(counts, where, present)["residual_material"] is None
    assert boundary_beyond_percent(counts, present)["residual_material"] is None


def surface_by_hand(labels, valid, label):
    found = []
    for z, y, x in np.argwhere(valid & (labels == label)):
        for step in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)):
            k, j, i = np.add((z, y, x), step)
            within = 0 <= k < labels.shape[0] and 0 <= j < labels.shape[1] and 0 <= i < labels.shape[2]
            if within and valid[k, j, i] and labels[k, j, i] != label:
                found.append((z, y, x))
                break
    return np.array(found, float).reshape(-1, 3)


@given(
    arrays(np.uint8, (4, 5, 6), elements=st.sampled_from([0, 1, 3])),
    arrays(np.uint8, (4, 5, 6), elements=st.sampled_from([0, 1, 3, 255])),
    arrays(np.bool_, (4, 5, 6)),
)
@settings(max_examples=40)
def test_equals_all_pairs_of_surface_voxels(prediction, truth, mask):
    spacing_mm = (0.02, 0.01, 0.03)
    counts, where = measured(prediction, truth, spacing_mm, mask)
    valid = mask & (truth != 255)
    scores = boundary_mean_um(counts, where, BOTH), boundary_percentile_um(counts, where, BOTH)
    for label, name in ((0, "background"), (1, "residual_material"), (3, "bone")):
        one, other = (surface_by_hand(labels, valid, label) * spacing_mm for labels in (prediction, truth))
        if not len(one) or not len(other):
            continue
        pairs = 1000 * np.linalg.norm(one[:, None] - other[None], axis=2)
        distances = np.sort(np.concatenate([pairs.min(axis=1), pairs.min(axis=0)]))
        assert scores[0][name] == pytest.approx(distances.mean(), abs=1e-5)
        assert scores[1][name] == pytest.approx(distances[int(np.ceil(0.95 * len(distances))) - 1], abs=1e-5)


def test_the_search_looks_at_the_near_before_the_far():
    where = search_steps((0.02, 0.01, 0.01), 3)
    lengths = 1000 * np.linalg.norm(where.steps * [0.02, 0.01, 0.01], axis=1)
    assert (np.diff(lengths) > -1e-6).all()
    np.testing.assert_allclose(where.lengths_um[where.shells], lengths, atol=1e-5)
    assert where.lengths_um[-1] == pytest.approx(30 * 2 ** (1 / 3))
