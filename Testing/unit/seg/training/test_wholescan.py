import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from ImplantSegLib.metrics import confusion, iou_percent
from ImplantSegLib.training import wholescan
from ImplantSegLib.training.config import Run
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.validate import validate
from ImplantSegLib.training.wholescan import Contact, relative_error_percent, segmented
from ImplantSegQuantLib.contact import contact_by_faces
from ImplantSegQuantLib.contact_kernels import count_contacts

SPACING = (0.03, 0.02, 0.01)


def soft(image):
    """Probabilities that fall off from the class that a grey value names."""
    values = np.exp(-np.abs(image * 4 - np.arange(4).reshape(4, 1, 1)))
    return (values / values.sum(axis=0)).astype(np.float32)


def by_hand(scan):
    """Labels of a whole scan at once."""
    image = (np.asarray(scan.image) - scan.low) / (scan.high - scan.low)
    probabilities = np.stack([soft(one.clip(0, 1)) for one in image], axis=1)
    return gaussian_filter1d(probabilities, 1.0, axis=1, mode="nearest", radius=3).argmax(axis=0)


def bic_percent(labels):
    depth, rows, columns = labels.shape
    return contact_by_faces(count_contacts(labels, (0, depth), (0, rows, 0, columns))[0], SPACING)


@pytest.fixture
def noisy():
    """A scan of blocks of all classes with noise, part of it unknown and part of it outside of the field of view."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, (6, 3, 3)).astype(np.uint8).repeat(4, 0).repeat(5, 1).repeat(6, 2)
    image = (labels + random.normal(0, 0.6, labels.shape)).astype(np.float32)
    labels[:, :2] = 255
    labels[11] = 255
    valid = np.ones(labels.shape, bool)
    valid[:, :, 15:] = False
    return Scan("noisy", image, labels, 0.0, 4.0, SPACING, valid)


@pytest.mark.parametrize("slab_slices", [1, 2, 5, 100])
def test_slabs_give_what_the_whole_volume_gives(noisy, monkeypatch, slab_slices):
    monkeypatch.setattr(wholescan, "_SLAB_BYTES", slab_slices * 4 * 4 * 15 * 18)
    expected = by_hand(noisy)
    found = list(segmented(soft, noisy))
    assert [index for index, _, _ in found] == [*range(11), *range(12, 24)]
    for index, labels, truth in found:
        np.testing.assert_array_equal(labels, expected[index])
        np.testing.assert_array_equal(truth, np.where(noisy.valid[index], noisy.labels[index], 255))


def test_scores_are_those_of_the_whole_volume(noisy):
    scores, _ = validate(soft, [noisy], [1], Run(validation_slices=0))
    truth = np.where(noisy.valid, noisy.labels, 255).astype(np.uint8)
    prediction = by_hand(noisy).astype(np.uint8)
    expected = iou_percent(confusion(prediction, truth))
    assert {name: scores[f"iou_percent.{name}"] for name in expected} == expected
    known = np.where(truth == 255, 255, prediction).astype(np.uint8)
    error = 100 * (bic_percent(known) / bic_percent(truth) - 1)
    assert scores["bic_bias_percent"] == pytest.approx(error)
    assert scores["bic_error_percent"] == pytest.approx(abs(error))
    assert abs(error) > 1


def test_the_contact_is_that_of_the_quantification(noisy):
    contact = Contact(SPACING)
    prediction = by_hand(noisy).astype(np.uint8)
    for index in noisy.known[0]:
        contact.add(int(index), prediction[index], noisy.labels[index])
    unknown = noisy.labels == 255
    expected = [bic_percent(np.where(unknown, 255, one).astype(np.uint8)) for one in (prediction, noisy.labels)]
    assert contact.bic_percent() == pytest.approx(expected)
    assert expected[0] != pytest.approx(expected[1], abs=1)


def test_only_what_known_slices_depend_on_is_predicted():
    labels = np.full((60, 4, 4), 255, np.uint8)
    labels[[10, 12, 40, 59]] = 1
    image = np.arange(60, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    seen = []

    def predict(image):
        seen.append(round(float(image[0, 0]) * 60))
        return soft(image)

    found = segmented(predict, Scan("sparse", image, labels, 0.0, 60.0))
    assert [index for index, _, _ in found] == [10, 12, 40, 59]
    assert seen == [*range(7, 16), *range(37, 44), *range(56, 60)]


def test_no_faces_lie_between_slices_that_are_no_neighbours():
    contact = Contact((1.0, 1.0, 1.0))
    implant, bone = np.array([[1, 0]], np.uint8), np.array([[3, 0]], np.uint8)
    contact.add(0, bone, implant)
    contact.add(2, bone, bone)
    assert contact.bic_percent() == (None, 0)
    contact.add(3, implant, implant)
    assert contact.bic_percent() == (pytest.approx(100 / 2), pytest.approx(100 / 3))


def test_the_error_of_the_contact():
    assert relative_error_percent(30.0, 40.0) == pytest.approx(-25)
    assert relative_error_percent(None, 40.0) == -100
    assert relative_error_percent(3.0, 0.0) is None
    assert relative_error_percent(3.0, None) is None


def test_errors_of_scans_cancel_in_the_bias_but_not_in_the_error():
    whole = np.array([[[1, 3, 0], [1, 3, 0]]], np.uint8)  # a BIC of 100 %
    half = np.array([[[1, 3, 0], [1, 0, 0]]], np.uint8)
    pairs = {0.2: (whole, half), 0.8: (half, whole)}  # truth and prediction by the grey value of the scan
    scans = [Scan(str(grey), np.full(whole.shape, grey, np.float32), truth) for grey, (truth, _) in pairs.items()]

    def predict(image):
        return (pairs[round(float(image[0, 0]), 1)][1][0] == np.arange(4).reshape(4, 1, 1)).astype(np.float32)

    scores, _ = validate(predict, scans, [0], Run(validation_slices=0))
    assert scores["bic_error_percent"] == pytest.approx((50 + 100) / 2)
    assert scores["bic_bias_percent"] == pytest.approx((100 - 50) / 2)
