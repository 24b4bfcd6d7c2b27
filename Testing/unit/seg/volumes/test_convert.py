from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegLib.volumes.convert import converted


def test_integers_are_rounded_when_read(scan: Volume) -> None:
    volume = converted(scan.like(np.array([[[0.4, 1.5, 2.5, 254.9]]])), np.dtype(np.uint8))
    assert volume.dtype == np.uint8
    assert np.asarray(volume.array).tolist() == [[[0, 2, 2, 255]]]
    assert volume.index_to_world.tolist() == scan.index_to_world.tolist()


def test_the_same_type_is_the_same_volume(scan: Volume) -> None:
    assert converted(scan, scan.dtype) is scan


def test_floats_take_everything(scan: Volume) -> None:
    volume = converted(scan, np.dtype(np.float32))
    np.testing.assert_array_equal(np.asarray(volume.array), scan.array)


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan, np.inf])
def test_values_that_do_not_fit(value: float) -> None:
    volume = converted(Volume(np.full((1, 1, 2), value)), np.dtype(np.uint8))
    with pytest.raises(InputError, match="wanted 0 to 255 for uint8; choose a wider --dtype, or scale"):
        volume.array[0:1]
