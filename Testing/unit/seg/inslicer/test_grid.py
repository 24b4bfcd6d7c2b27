from dataclasses import dataclass, field

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer.grid import Grid
from ImplantSegLib.volumes import read


@dataclass
class Scan:
    """A scan on disk, as far as a grid asks for it."""

    box: str = ""
    voxel_size_um: float = 0.0
    path: str = "scan.tif"
    shape: tuple[int, int, int] = (40, 300, 200)
    facts: dict = field(default_factory=lambda: {"voxel_size_um": [20.0, 10.0, 5.0], "dtype": "float32"})

    def crop(self):
        return self.box


def test_the_grid_of_a_file():
    assert Grid.of(Scan()) == Grid((40, 300, 200), (20, 10, 5), 4)


def test_a_region_and_binning_make_it_smaller():
    assert Grid.of(Scan("10:30,:,0:101"), 2) == Grid((10, 150, 50), (40, 20, 10), 4)


def test_a_voxel_size_that_was_entered_counts():
    assert Grid.of(Scan(voxel_size_um=3)).voxel_um == (3, 3, 3)


def test_a_region_beyond_the_scan_is_refused():
    with pytest.raises(InputError, match="reaches beyond the volume"):
        Grid.of(Scan("0:41,:,:"))


@pytest.mark.parametrize(("voxel_bytes", "dtype"), [(1, np.uint8), (2, np.uint16), (4, np.float32), (8, np.float64)])
def test_a_file_of_that_size_takes_no_space_and_is_a_scan(tmp_path, voxel_bytes, dtype):
    path = Grid((3000, 2640, 2640), (2.76, 2.76, 2.76), voxel_bytes).write(tmp_path / "scan.zarr")
    assert sum(file.stat().st_size for file in path.rglob("*")) < 2000
    volume = read(path, (2.76, 2.76, 2.76))
    assert (volume.shape, volume.dtype) == ((3000, 2640, 2640), dtype)
    assert not np.asarray(volume.array[1000, 5:7, 5:7]).any()


def test_the_voxel_size_is_told_with_all_its_digits():
    assert Grid((1, 1, 1), (2.7612345, 10, 1 / 3)).options() == ["--spacing-um", "2.7612345,10,0.333333333"]
