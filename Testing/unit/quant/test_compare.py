import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.metrics import confusion, surface_matches
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


def test_perfect_prediction_with_an_absent_class():
    labels = np.where(TRUTH == 255, 0, TRUTH % 3).astype(np.uint8)
    scores = overlap(Volume(labels), Volume(labels), FieldOfView())
    assert scores["mean_iou_percent"] == 100
    assert scores["iou_percent"]["bone"] is None
    assert scores["notes"] == [
        "bone is in neither the prediction nor the truth: its scores are null and the mean IoU leaves it out"
    ]
    assert "absent" in table(scores)


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
