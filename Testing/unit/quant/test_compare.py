import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.metrics import (
    boundary_counts,
    boundary_mean_um,
    confusion,
    search_steps,
    surface_bits,
    surface_matches,
)
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib import sample
from ImplantSegQuantLib.compare import overlap, relative_errors_percent, table
from ImplantSegQuantLib.measurement import Measurement

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 4, (11, 12, 13)).astype(np.uint8)
PREDICTION = np.where(RANDOM.random(TRUTH.shape) < 0.8, TRUTH, 3).astype(np.uint8)
TRUTH[3:5, 4:6] = 255


@pytest.mark.parametrize("fov", ["box", "circle:5.5,6,5"])
@pytest.mark.parametrize("depth", [1, 3, 32])
def test_slabs_add_up_to_the_volume(monkeypatch, fov, depth):
    monkeypatch.setattr(sample, "SLAB", depth)
    view = FieldOfView.parse(fov)
    scores = overlap(Volume(PREDICTION), Volume(TRUTH), view)
    mask = view.slice_mask(TRUTH.shape[1:])
    assert scores["confusion"] == confusion(PREDICTION, TRUTH, mask).tolist()
    matches = surface_matches(PREDICTION, TRUTH, mask, slice(0, 11))
    assert scores["surface_dice_percent"]["bone"] == pytest.approx(100 * matches[3, 0] / matches[3, 1])
    where = search_steps((1.0, 1.0, 1.0))
    counts = boundary_counts(surface_bits(PREDICTION, TRUTH, mask, slice(0, 11)), slice(0, 11), where)
    assert scores["boundary_error_mean_um"] == boundary_mean_um(counts, where, np.ones(4, bool))


def test_perfect_prediction_with_an_absent_class():
    labels = np.where(TRUTH == 255, 0, TRUTH % 3).astype(np.uint8)
    scores = overlap(Volume(labels), Volume(labels), FieldOfView())
    assert scores["mean_iou_percent"] == 100
    assert scores["iou_percent"]["bone"] is None
    assert scores["notes"] == [
        "bone is in neither the prediction nor the truth: its scores are null and the mean IoU leaves it out"
    ]
    assert "absent" in table(scores)


def planes(first, shape=(8, 8, 64)):
    return np.broadcast_to(np.where(np.arange(shape[2]) >= first, 3, 0), shape).astype(np.uint8)


def test_boundary_error_of_a_shifted_plane_and_of_one_out_of_reach():
    scores = overlap(Volume(planes(9), (0.02,) * 3), Volume(planes(5), (0.02,) * 3), FieldOfView())
    assert scores["boundary_error_mean_um"]["bone"] == scores["boundary_error_95_um"]["bone"] == 80
    far = overlap(Volume(planes(40), (0.02,) * 3), Volume(planes(5), (0.02,) * 3), FieldOfView())
    assert far["boundary_error_beyond_percent"]["bone"] == 100
    assert any("bone: 100 % of its surfaces lie more than 400 µm" in note for note in far["notes"])


def test_boundary_error_is_undefined_without_voxel_size_or_surface():
    unknown = {"voxel_size_known": "no"}
    scores = overlap(Volume(planes(9), metadata=unknown), Volume(planes(5), metadata=unknown), FieldOfView())
    assert scores["boundary_error_mean_um"]["bone"] is None
    assert scores["boundary_error_reach_um"] is None
    assert "no file tells a voxel size" in scores["notes"][-1]
    scores = overlap(Volume(planes(0)), Volume(planes(5)), FieldOfView())
    assert scores["boundary_error_95_um"]["background"] is None
    assert "background: one of prediction and truth has no surface of it" in " ".join(scores["notes"])


def test_grids_that_differ_are_both_named():
    with pytest.raises(InputError, match=r"voxel 1000 × 1000 × 1000 µm.* against .*voxel 2000 × 2000 × 2000 µm"):
        overlap(Volume(TRUTH), Volume(TRUTH, (2.0, 2.0, 2.0)), FieldOfView())


def test_files_without_voxel_size_need_the_same_shape_only():
    unknown = Volume(TRUTH, (2.0, 2.0, 2.0), metadata={"voxel_size_known": "no"})
    assert overlap(Volume(PREDICTION), unknown, FieldOfView())["voxels"] == (TRUTH != 255).sum()
    with pytest.raises(InputError, match="different grids"):
        overlap(Volume(PREDICTION[1:]), unknown, FieldOfView())


def test_relative_errors_are_signed_and_undefined_where_the_truth_is_zero():
    measured = [Measurement(name, value, "%") for name, value in {"a": 9.0, "b": 1.0, "c": None, "d": 2.0}.items()]
    truth = [Measurement(name, value, "%") for name, value in {"a": 10.0, "b": 0.0, "c": 1.0, "d": None}.items()]
    errors, notes = relative_errors_percent(measured, truth)
    assert errors == {"a": pytest.approx(-10), "b": None, "c": None, "d": None}
    assert notes == ["b: the truth is 0, so a relative error is undefined"]
