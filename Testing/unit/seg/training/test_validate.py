import numpy as np
import pytest

from ImplantSegLib.training.config import Run
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.validate import WORST, contact_faces, criterion, slices, validate

TRUTH = np.array([[1, 1, 3], [2, 0, 3], [2, 3, 3]], np.uint8)


def certain(labels):
    """Probabilities of 1 for labels."""
    return (labels == np.arange(4).reshape(4, 1, 1)).astype(np.float32)


def test_contact_faces_are_counted_by_hand():
    # one face in the first row, one in the last, none between rows
    assert contact_faces(TRUTH, TRUTH).tolist() == [2, 2, 2]
    prediction = TRUTH.copy()
    prediction[1, 1] = 3  # touches 1 above and 2 at its left
    assert contact_faces(prediction, TRUTH).tolist() == [4, 2, 2]
    prediction = np.where(TRUTH == 3, 0, TRUTH)
    assert contact_faces(prediction, TRUTH).tolist() == [0, 2, 0]


def test_faces_of_unlabelled_pixels_do_not_count():
    truth = TRUTH.copy()
    truth[0, 2] = 255
    assert contact_faces(TRUTH, truth).tolist() == [1, 1, 1]


def test_slices_are_evenly_spaced():
    labels = np.zeros((8, 3, 5), np.uint8)
    scan = Scan("planes", labels, labels)
    assert list(slices(scan, [0], 4)) == [(0, 1), (0, 3), (0, 5), (0, 7)]
    assert list(slices(scan, [1], 16)) == [(1, 0), (1, 1), (1, 2)]  # no slice twice


def test_only_slices_with_labels_are_scored():
    labels = np.full((50, 3, 5), 255, np.uint8)
    labels[[7, 30, 31], 1] = np.array([1, 2, 3], np.uint8)[:, None]
    scan = Scan("corrected", np.zeros(labels.shape, np.float32), labels)
    assert list(slices(scan, [0], 16)) == [(0, 7), (0, 30), (0, 31)]
    assert list(slices(scan, [1, 2], 1)) == [(1, 1), (2, 2)]


def test_a_perfect_prediction_has_perfect_scores(make_scan):
    scan = make_scan()

    def tell(image):
        return certain(np.rint((image * 700 - 50) / 200).clip(0, 3))

    clean = Scan("clean", scan.labels * np.float32(200), scan.labels, -50.0, 650.0)
    scores, _ = validate(tell, [clean], [0, 1], Run(validation_slices=3))
    assert scores.pop("contact_bias_percent") == 0
    assert scores.pop("contact_error_percent") == 0
    assert set(scores.values()) == {100.0}


def test_the_error_of_the_contact_is_the_mean_over_the_scans():
    two = np.array([[[1, 3], [1, 3]]], np.uint8)  # two faces
    scans = [Scan(name, np.full(two.shape, grey, np.float32), two) for name, grey in (("a", 0.25), ("b", 0.75))]

    def one_face_too_few_then_right(image):
        return certain(np.array([[1, 3], [0, 3]]) if image[0, 0] < 0.5 else two[0])

    scores, _ = validate(one_face_too_few_then_right, scans, [0], Run(validation_slices=1))
    assert scores["contact_error_percent"] == pytest.approx((50 + 0) / 2)
    assert scores["contact_bias_percent"] == pytest.approx(-25)
    assert scores["contact_iou_percent"] == pytest.approx(75)


def test_the_worst_slices_are_named():
    labels = np.zeros((40, 10, 10), np.uint8)
    labels[:, :, 5:] = 2
    scan = Scan("stairs", np.arange(40)[:, None, None] * np.ones((1, 10, 10), np.float32), labels, 0.0, 40.0)

    def misses_rows(image):
        prediction = labels[0].copy()
        prediction[: round(float(image[0, 0]) * 40) % 10] = 0  # so many rows of the layer
        return certain(prediction)

    worst = validate(misses_rows, [scan], [0], Run(validation_slices=40))[1]
    assert [one["index"] % 10 for one in worst] == [9] * 4 + [8] * 4 + [7] * 4
    assert len(worst) == WORST
    assert worst[0] == {
        "scan": "stairs",
        "axis": 0,
        "index": 9,
        "degradation_layer_iou_percent": pytest.approx(10),
        "mean_iou_percent": pytest.approx((10 + 100 * 50 / 95) / 2),
    }


def test_without_contact_its_scores_are_undefined():
    labels = np.zeros((1, 4, 4), np.uint8)
    scores, _ = validate(lambda _: certain(labels[0]), [Scan("empty", labels, labels)], [0], Run())
    assert scores["contact_iou_percent"] is None
    assert scores["contact_error_percent"] is None
    assert scores["iou_percent.bone"] is None
    assert scores["mean_iou_percent"] == 100


@pytest.mark.parametrize(
    ("chosen", "run", "error", "value"),
    [
        ("mean_iou", {}, 30.0, 80.0),
        ("degradation_layer", {}, 30.0, 60.0),
        ("interface", {}, 30.0, 75.0),
        ("interface", {}, 200.0, 40.0),
        ("interface", {}, None, 80.0),
        ("interface", {"validation_slices": 0}, 30.0, 85.0),  # 10 % of the volume's contact count
        ("mean_iou", {"validation_slices": 0}, 30.0, 80.0),
    ],
)
def test_the_criterion(chosen, run, error, value):
    scores = {
        "mean_iou_percent": 80.0,
        "iou_percent.degradation_layer": 60.0,
        "contact_error_percent": error,
        "bic_error_percent": 10.0,
    }
    assert criterion(scores, Run(criterion=chosen, **run)) == value
