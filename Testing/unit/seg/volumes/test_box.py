from __future__ import annotations

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Box


def test_ranges_are_half_open_and_may_be_left_out() -> None:
    box = Box.parse("1:4,:, 2:")
    assert box == Box((1, 4), (0, None), (2, None))
    assert str(box) == "1:4,0:,2:"
    assert Box.parse(str(box)) == box
    whole = box.within((5, 6, 7))
    assert whole == Box((1, 4), (0, 6), (2, 7))
    assert whole.slices == (slice(1, 4), slice(0, 6), slice(2, 7))
    assert str(whole) == "1:4,0:6,2:7"


@pytest.mark.parametrize(
    "text", ["", "1:2", "1:2,3:4", "1:2,3:4,5:6,7:8", "-1:2,:,:", "a:b,:,:", "1,2,3", "1:2:3,:,:", "1.5:2,:,:"]
)
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(InputError, match=r"wanted three ranges of voxels counted from 0; pass Z0:Z1,Y0:Y1,X0:X1"):
        Box.parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2:2,:,:", "is empty along z: wanted voxels from 0 to 5"),
        (":,4:1,:", "is empty along y: wanted voxels from 0 to 6"),
        (":,:,7:", "is empty along x: wanted voxels from 0 to 7"),
        ("0:6,:,:", "reaches beyond the volume along z: wanted voxels from 0 to 5"),
    ],
)
def test_boxes_that_do_not_fit(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Box.parse(text).within((5, 6, 7))


def test_a_box_in_a_box_counts_from_its_start() -> None:
    outer = Box((10, 20), (5, 9), (0, 7))
    assert Box((1, 4), (0, 2), (3, 7)).inside(outer) == Box((11, 14), (5, 7), (3, 7))
