import dataclasses

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.training.batches import Batches
from ImplantSegLib.training.checks import slab_slices


def without(scan, label):
    """The scan with background in place of a label."""
    return dataclasses.replace(scan, labels=np.where(scan.labels == label, 0, scan.labels).astype(np.uint8))


def test_a_class_that_no_training_scan_holds_is_named(make_scan, recipe):
    scans = [without(make_scan(name), 3) for name in ("a", "b")]
    with pytest.raises(InputError, match="no training scan holds bone: it could not be learnt; add a scan that does"):
        Batches(scans, recipe())


def test_a_scan_that_lacks_a_class_is_told(make_scan, recipe, caplog):
    Batches([make_scan("a"), without(make_scan("b"), 2)], recipe())
    assert [record.getMessage() for record in caplog.records] == ["the training scan b holds no degradation_layer"]


def test_a_class_outside_of_the_field_of_view_is_not_held(make_scan, recipe):
    scan = make_scan()
    scan = dataclasses.replace(scan, valid=scan.labels != 3)
    with pytest.raises(InputError, match="no training scan holds bone"):
        Batches([scan], recipe())


def test_slabs_are_bounded_whatever_the_size_of_a_slice():
    assert [slab_slices((100, side, side)) for side in (10, 448, 1024, 10_000)] == [32, 32, 8, 1]
