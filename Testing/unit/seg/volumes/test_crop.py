from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.cli import main
from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Box, FieldOfView, Volume, cropped, read, write
from ImplantSegLib.volumes.voxels import Slices

QUIET = ["--progress", "none"]
BOX = Box((1, 4), (2, 6), (0, 5))


@pytest.fixture
def oblique() -> Volume:
    """A volume whose axes are turned in the world, and whose voxels have three different sides."""
    turn, tilt = np.radians([30, 20])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    direction = tuple(tuple(float(value) for value in row) for row in about_z @ about_x)
    array = np.arange(6 * 7 * 8, dtype=np.uint16).reshape(6, 7, 8)
    return Volume(array, (0.003, 0.005, 0.002), (10.0, -20.0, 30.0), direction)


def test_voxels_keep_their_place_in_the_world(oblique: Volume) -> None:
    part = cropped(oblique, BOX)
    np.testing.assert_array_equal(part.array[:], np.asarray(oblique.array)[1:4, 2:6, 0:5])
    assert (part.spacing_mm, part.direction) == (oblique.spacing_mm, oblique.direction)
    for index in [(0, 0, 0), (2, 3, 4), (1, 0, 2)]:
        z, y, x = index
        before = oblique.index_to_world @ (z + 1, y + 2, x, 1.0)
        np.testing.assert_allclose(part.index_to_world @ (z, y, x, 1.0), before, rtol=0, atol=1e-12)
    direction = np.array(oblique.direction)
    np.testing.assert_allclose(
        np.subtract(part.origin_mm, oblique.origin_mm), direction @ (0, 2 * 0.005, 1 * 0.003), rtol=0, atol=1e-12
    )


def test_a_part_of_a_part(oblique: Volume) -> None:
    once = cropped(oblique, Box((2, 4), (3, 5), (1, 4)))
    twice = cropped(cropped(oblique, BOX), Box((1, 3), (1, 3), (1, 4)))
    assert once.same_grid(twice)
    np.testing.assert_array_equal(once.array[:], twice.array[:])


def test_any_index_along_z(oblique: Volume) -> None:
    part, expected = cropped(oblique, BOX), np.asarray(oblique.array)[1:4, 2:6, 0:5]
    for key in (0, -1, slice(1, None), slice(0, 3, 2), (slice(0, 2), slice(1, 3)), (1, 2, 3)):
        np.testing.assert_array_equal(part.array[key], expected[key])


def test_no_slice_is_read_that_is_not_needed_nor_many_at_once() -> None:
    asked: list[slice] = []

    def read_slices(z: slice) -> np.ndarray:
        asked.append(z)
        return np.zeros((z.stop - z.start, 4000, 4000), np.uint8)  # 16 MB a slice

    volume = Volume(Slices((100, 4000, 4000), np.dtype(np.uint8), read_slices, "counted"))
    part = cropped(volume, Box((10, 20), (0, 3), (0, 3)))
    assert asked == []
    assert part.array[2:9].shape == (7, 3, 3)
    assert [(z.start, z.stop) for z in asked] == [(12, 16), (16, 19)]


def test_the_whole_volume_stays_as_it_is(oblique: Volume) -> None:
    assert cropped(oblique, Box.parse(":,:,:")) is oblique


def test_a_circle_moves_along(oblique: Volume) -> None:
    volume = oblique.like(oblique.array, fov="circle:3,3.5,2.5")
    before = FieldOfView.of(volume).slab_mask(slice(0, 6), volume.shape)
    part = cropped(volume, BOX)
    assert part.metadata["fov"] == "circle:1,3.5,2.5"
    assert before is not None
    np.testing.assert_array_equal(FieldOfView.of(part).slab_mask(slice(0, 3), part.shape), before[BOX.slices])


def test_a_mask_moves_along_and_again(oblique: Volume, tmp_path: Path) -> None:
    inside = np.random.default_rng(0).random(oblique.shape) > 0.5
    path = tmp_path / "mask.nrrd"
    write(oblique.like(inside.astype(np.uint8)), path)
    part = cropped(oblique.like(oblique.array, fov=str(path)), BOX)
    assert part.metadata["fov"] == f"{path}[1:4,2:6,0:5]"
    np.testing.assert_array_equal(FieldOfView.of(part).slab_mask(slice(1, 3), part.shape), inside[2:4, 2:6, 0:5])
    again = cropped(part, Box((1, 3), (1, 3), (1, 4)))
    assert again.metadata["fov"] == f"{path}[2:4,3:5,1:4]"
    np.testing.assert_array_equal(FieldOfView.of(again).slab_mask(slice(0, 2), again.shape), inside[2:4, 3:5, 1:4])


def test_convert_crops(oblique: Volume, tmp_path: Path) -> None:
    write(oblique, tmp_path / "a.nrrd")
    assert (
        main(["convert", *map(str, (tmp_path / "a.nrrd", tmp_path / "b.ome.zarr")), "--crop", ":,2:6,:5", *QUIET]) == 0
    )
    part = read(tmp_path / "b.ome.zarr")
    assert part.same_grid(cropped(oblique, Box((0, 6), (2, 6), (0, 5))))
    np.testing.assert_array_equal(part.array[:], np.asarray(oblique.array)[:, 2:6, :5])


@pytest.mark.parametrize(
    "crop", ["--crop=-1:3,:,:", "--crop -1:3,:,:", "--crop=3:3,:,:", "--crop=:,:,0:9", "--crop=1:3"]
)
def test_wrong_boxes_get_one_sentence(
    oblique: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str], crop: str
) -> None:
    write(oblique, tmp_path / "a.nrrd")
    assert main(["convert", str(tmp_path / "a.nrrd"), str(tmp_path / "b.nrrd"), *crop.split(), *QUIET]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: got the box")
    assert told.count("\n") == 1
    assert not (tmp_path / "b.nrrd").exists()


def test_a_box_is_no_field_of_view_of_its_own() -> None:
    with pytest.raises(InputError, match="which is no file"):
        FieldOfView.parse("nowhere.nrrd[0:1,0:1,0:1]")
