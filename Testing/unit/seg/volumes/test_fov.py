from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import FieldOfView, Volume, write


def test_a_box_is_everything() -> None:
    fov = FieldOfView.parse("box")
    assert str(fov) == "box"
    assert fov.slice_mask((4, 5)) is None
    assert fov.slab_mask(slice(0, 2), (3, 4, 5)) is None
    assert fov.binned(3) == fov


def test_a_circle() -> None:
    fov = FieldOfView.parse("circle:2,3.5,2")
    assert str(fov) == "circle:2,3.5,2"
    mask = fov.slice_mask((6, 7))
    assert mask is not None
    expected = [[(y - 2) ** 2 + (x - 3.5) ** 2 <= 4 for x in range(7)] for y in range(6)]
    np.testing.assert_array_equal(mask, expected)
    slab = fov.slab_mask(slice(1, 4), (5, 6, 7))
    assert slab is not None
    assert slab.shape == (3, 6, 7)
    np.testing.assert_array_equal(slab, [mask] * 3)


def test_a_mask(tmp_path: Path) -> None:
    inside = np.zeros((3, 4, 5), bool)
    inside[1, 2:, 1:] = True
    write(Volume(inside.astype(np.uint8)), tmp_path / "mask.nrrd")
    fov = FieldOfView.parse(str(tmp_path / "mask.nrrd"))
    assert str(fov) == str(tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(fov.slab_mask(slice(1, 3), (3, 4, 5)), inside[1:])
    with pytest.raises(ValueError, match="use slab_mask"):
        fov.slice_mask((4, 5))
    with pytest.raises(InputError, match=r"has shape \(3, 4, 5\), wanted \(3, 4, 6\)"):
        fov.slab_mask(slice(0, 1), (3, 4, 6))


def test_the_metadata_name_it() -> None:
    volume = Volume(np.zeros((2, 4, 5)))
    assert str(FieldOfView.of(volume)) == "box"
    assert str(FieldOfView.of(volume.like(volume.array, fov="circle:1.25,2,3"))) == "circle:1.25,2,3"


@pytest.mark.parametrize("text", ["circle:1,2", "circle:a,b,c", "circle:1,2,0", "circle:1,2,nan", "nowhere.nrrd"])
def test_what_is_no_field_of_view(text: str) -> None:
    with pytest.raises(InputError, match="field of view.*; pass box, circle:CY,CX,R"):
        FieldOfView.parse(text)


def test_a_binned_circle_covers_the_same_place() -> None:
    fov = FieldOfView.parse("circle:14.5,11,10.5")
    small = fov.binned(3).slice_mask((10, 8))
    large = fov.slice_mask((30, 24))
    assert small is not None
    assert large is not None
    np.testing.assert_array_equal(small, large[1::3, 1::3])  # the middle of each 3 × 3 block


@pytest.mark.parametrize("text", ["circle:1319.5,1319.25,1318.0625", "circle:0.123456,7,8.5"])
def test_text_and_back(text: str) -> None:
    assert str(FieldOfView.parse(text)) == text
