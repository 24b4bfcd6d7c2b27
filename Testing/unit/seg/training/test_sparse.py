"""Scans of which only some slices are labelled, in any of three orientations: what trains and what is scored."""

import numpy as np
import pytest

from ImplantSegLib.training import sampling
from ImplantSegLib.training.config import Data, Run, Sampling
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.validate import validate

LABELLED = [24, 33]


@pytest.fixture(params=[0, 1, 2], ids="zyx")
def sparse(request, make_scan):
    """A scan of which two slices are labelled, and the direction of these slices."""
    whole = make_scan()
    labels = np.full(whole.shape, 255, np.uint8)
    where = [slice(None)] * 3
    where[request.param] = LABELLED
    labels[tuple(where)] = whole.labels[tuple(where)]
    return Scan("sparse", whole.image, labels, whole.low, whole.high, whole.spacing_mm), request.param


def truthful(image):
    """Probabilities of 1 for the labels that the grey values of a scan without noise name."""
    return (np.rint((image * 700 - 50) / 200).clip(0, 3) == np.arange(4).reshape(4, 1, 1)).astype(np.float32)


def test_patches_of_its_direction_lie_in_labelled_slices(sparse):
    scan, axis = sparse
    config = Sampling(patch=[16, 16], batch=200)
    candidates = [sampling.find_candidates(scan, 1000)]
    targets = sampling.draw_targets(candidates, config, Data(cohort="none", axes=[axis]), sampling.generator(0, 0))
    assert {target.centre[axis] for target in targets} == set(LABELLED)


def test_only_labelled_slices_are_scored(sparse):
    scan, axis = sparse
    clean = Scan("clean", scan.labels.clip(0, 3) * np.float32(200), scan.labels, -50.0, 650.0)

    def without_bone(image):
        probabilities = truthful(image)
        probabilities[2] += 2 * probabilities[3]
        return probabilities

    assert validate(truthful, [clean], [axis], Run(validation_slices=5))[0]["mean_iou_percent"] == 100
    scores, worst = validate(without_bone, [clean], [axis], Run(validation_slices=5))
    layer, bone = (np.count_nonzero(scan.labels == value) for value in (2, 3))
    assert scores["iou_percent.bone"] == 0
    assert scores["iou_percent.degradation_layer"] == pytest.approx(100 * layer / (layer + bone))
    assert {one["index"] for one in worst} == set(LABELLED)


def test_of_whole_scans_only_labelled_voxels_are_scored(sparse, make_scan):
    scan, axis = sparse
    image = make_scan().labels * np.float32(200)  # cylinders along z: the average across slices changes nothing
    whole = Scan("whole", image, scan.labels, -50.0, 650.0)
    scores, worst = validate(truthful, [whole], [axis], Run(validation_slices=0))
    assert scores["mean_iou_percent"] == 100
    assert scores["bic_error_percent"] == 0
    assert len({one["index"] for one in worst}) == (2 if axis == 0 else 12)


def test_what_is_predicted_where_nobody_labelled_is_no_error(sparse, make_scan):
    scan, axis = sparse
    image = np.where(scan.labels == 255, np.float32(600), scan.labels * np.float32(200))  # looks like bone there
    scores, _ = validate(truthful, [Scan("s", image, scan.labels, -50.0, 650.0)], [axis], Run(validation_slices=5))
    assert scores["mean_iou_percent"] == 100
