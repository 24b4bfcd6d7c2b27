import numpy as np
import pytest

from ImplantSegLib.training.config import Data
from ImplantSegLib.training.slicefolds import split_slices


@pytest.fixture
def parts(make_scan, caplog):
    scan = make_scan()  # 40 slices
    training, validation = split_slices([scan], Data("none", folds=4, fold=1))
    assert "too good" in caplog.text
    return scan, training[0], validation[0]


def test_every_slice_trains_or_validates_and_none_does_both(parts):
    _, training, validation = parts
    assert validation.known[0].tolist() == list(range(10, 20))
    assert training.known[0].tolist() == [*range(10), *range(20, 40)]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labels_are_cut_alike_along_every_axis(parts, axis):
    scan, training, validation = parts
    index = 15
    wanted = np.array(scan.labels)
    wanted[10:20] = 255
    everything = slice(None), slice(None)
    np.testing.assert_array_equal(training.cut(axis, index, *everything)[1], wanted.take(index, axis))
    _, kept = validation.cut(axis, index, *everything)
    np.testing.assert_array_equal(np.where(kept == 255, wanted.take(index, axis), kept), scan.labels.take(index, axis))


def test_the_scan_itself_is_not_changed(parts):
    assert (np.asarray(parts[0].labels) != 255).all()
