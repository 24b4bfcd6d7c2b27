import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib.checks import check_voxel_size
from ImplantSegQuantLib.workflow import field_of_view

LABELS = np.zeros((2, 3, 4), np.uint8)


def test_voxel_size_must_be_known():
    check_voxel_size(Volume(LABELS), "truth")
    with pytest.raises(InputError, match="file of the truth tells no voxel size; pass --spacing-um"):
        check_voxel_size(Volume(LABELS, metadata={"voxel_size_known": "no"}), "truth")


def test_field_of_view_comes_from_the_option_then_the_file_then_the_truth():
    seen, other = (Volume(LABELS, metadata={"fov": f"circle:1,2,{radius}"}) for radius in (1, 2))
    assert str(field_of_view("box", seen, other)) == "box"
    assert str(field_of_view("auto", seen, other)) == "circle:1,2,1"
    assert str(field_of_view("auto", Volume(LABELS), other)) == "circle:1,2,2"
    assert str(field_of_view("auto", Volume(LABELS))) == "box"
