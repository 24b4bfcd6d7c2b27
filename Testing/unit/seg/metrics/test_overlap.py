import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from ImplantSegLib.errors import InputError
from ImplantSegLib.metrics import (
    SURFACE_HALO,
    confusion,
    dice_percent,
    iou_percent,
    mean_iou_percent,
    surface_dice_percent,
    surface_matches,
)

CROSS = ndimage.generate_binary_structure(3, 1)


def arrays_of(values):
    return arrays(np.uint8, (3, 4, 30), elements=st.sampled_from(values))


@given(arrays_of([0, 1, 2, 3]), arrays_of([0, 1, 2, 3, 255]), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_confusion_equals_counting_by_hand(prediction, truth, seed):
    mask = np.random.default_rng(seed).random((4, 30)) < 0.7
    for given_mask in (None, mask):
        inside = (truth != 255) & (True if given_mask is None else given_mask)
        wanted = [[np.sum(inside & (truth == t) & (prediction == p)) for p in range(4)] for t in range(4)]
        np.testing.assert_array_equal(confusion(prediction, truth, given_mask), wanted)


def test_confusion_of_runs_longer_than_a_block():
    truth = np.repeat(np.array([0, 3, 1, 2], np.uint8), 100)[None, None]
    prediction = np.roll(truth, 1)
    counts = confusion(prediction, truth)
    assert np.diagonal(counts).tolist() == [99] * 4
    assert counts[3, 0] == counts[1, 3] == counts[2, 1] == counts[0, 2] == 1


def test_scores_of_a_known_matrix():
    counts = np.array([[90, 0, 0, 10], [0, 50, 0, 0], [0, 0, 0, 0], [0, 0, 0, 30]])
    assert iou_percent(counts) == {
        "background": 90.0,
        "residual_material": 100.0,
        "degradation_layer": None,
        "bone": 75.0,
    }
    assert mean_iou_percent(counts) == pytest.approx((90 + 100 + 75) / 3)
    assert dice_percent(counts)["bone"] == pytest.approx(100 * 60 / 70)
    assert dice_percent(counts)["degradation_layer"] is None


def test_class_in_one_segmentation_only_scores_zero():
    counts = confusion(np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 3, np.uint8))
    assert iou_percent(counts)["bone"] == 0
    assert mean_iou_percent(counts) == 0


def test_nothing_to_compare_has_no_mean():
    ignored = np.full((1, 2, 2), 255, np.uint8)
    assert mean_iou_percent(confusion(np.zeros((1, 2, 2), np.uint8), ignored)) is None


@pytest.mark.parametrize(
    ("prediction", "truth", "words"),
    [(4, 0, "prediction holds label 4"), (0, 9, "truth holds label 9"), (255, 0, "prediction holds label 255")],
)
def test_labels_outside_the_table_are_named(prediction, truth, words):
    with pytest.raises(InputError, match=words):
        confusion(np.full((1, 1, 3), prediction, np.uint8), np.full((1, 1, 3), truth, np.uint8))


def test_shapes_that_differ_are_named():
    with pytest.raises(InputError, match=r"\(1, 2, 2\).*\(1, 2, 3\)"):
        confusion(np.zeros((1, 2, 2), np.uint8), np.zeros((1, 2, 3), np.uint8))


def brute_force_surface(prediction, truth, valid):
    """Surface of every class by erosion in the valid voxels, matched by dilation with the cross."""
    counts = np.zeros((4, 2), int)
    for label in range(4):
        p, t = ((labels == label) & valid for labels in (prediction, truth))
        p, t = (of & ~ndimage.binary_erosion(of | ~valid, CROSS, border_value=1) for of in (p, t))
        counts[label, 0] = np.sum(p & ndimage.binary_dilation(t, CROSS)) + np.sum(t & ndimage.binary_dilation(p, CROSS))
        counts[label, 1] = p.sum() + t.sum()
    return counts


def labels_with_smooth_shapes(seed, shape=(9, 12, 14)):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2)
    return np.digitize(field, np.quantile(field, [0.4, 0.6, 0.8])).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_surface_matches_equal_erosion_and_dilation(seed):
    prediction, truth = labels_with_smooth_shapes(seed), labels_with_smooth_shapes(seed + 100)
    truth[2:4, 3:5, 6:8] = 255
    mask = np.random.default_rng(seed).random((12, 14)) < 0.8
    for given_mask in (None, mask):
        valid = (truth != 255) & (True if given_mask is None else given_mask)
        matches = surface_matches(prediction, truth, given_mask, slice(0, 9))
        np.testing.assert_array_equal(matches, brute_force_surface(prediction, truth, valid))


@pytest.mark.parametrize("depth", [1, 2, 4, 50])
def test_surface_matches_of_slabs_add_up(depth):
    prediction, truth = labels_with_smooth_shapes(1), labels_with_smooth_shapes(2)
    total = np.zeros((4, 2), int)
    for start in range(0, 9, depth):
        low, stop = max(0, start - SURFACE_HALO), min(9, start + depth)
        read = slice(low, min(9, stop + SURFACE_HALO))
        total += surface_matches(prediction[read], truth[read], None, slice(start - low, stop - low))
    np.testing.assert_array_equal(total, surface_matches(prediction, truth, None, slice(0, 9)))


@pytest.mark.parametrize(("shift", "score"), [(0, 100.0), (1, 100.0), (2, 0.0)])
def test_surface_dice_of_a_shifted_half_space(shift, score):
    truth = np.zeros((6, 6, 20), np.uint8)
    truth[..., 8:] = 3
    assert surface_dice_percent(
        surface_matches(np.roll(truth, shift, axis=2)[..., 4:], truth[..., 4:], None, slice(0, 6))
    )["bone"] == pytest.approx(score)


def test_surface_dice_of_absent_classes_is_undefined():
    empty = np.zeros((3, 3, 3), np.uint8)
    assert set(surface_dice_percent(surface_matches(empty, empty, None, slice(0, 3))).values()) == {None}
