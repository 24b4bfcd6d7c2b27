from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import TITLES
from ImplantSegLib.volumes import Volume, create, read, write


def test_the_file_is_ome_zarr_0_5(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.ome.zarr")
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    ome = group.attrs["ome"]
    assert ome["version"] == "0.5"
    (image,) = ome["multiscales"]
    assert image["axes"] == [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    (dataset,) = image["datasets"]
    scale, translation = dataset["coordinateTransformations"]
    assert tuple(scale["scale"]) == scan.spacing_mm
    assert tuple(translation["translation"]) == scan.origin_mm[::-1]
    array = group[dataset["path"]]
    assert array.metadata.dimension_names == ("z", "y", "x")
    np.testing.assert_array_equal(array[:], scan.array)
    assert "image-label" not in ome


def test_labels_carry_names_and_colours(labels: Volume, tmp_path: Path) -> None:
    write(labels.like(labels.array, content="labels"), tmp_path / "a.ome.zarr")
    label = zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs["ome"]["image-label"]
    assert {one["label-value"]: one["name"] for one in label["properties"]} == {n: TITLES[n] for n in (1, 2, 3)}
    assert all(len(one["rgba"]) == 4 for one in label["colors"])
    assert read(tmp_path / "a.ome.zarr").metadata["content"] == "labels"


def test_each_chunk_is_written_once_whatever_the_slabs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[slice] = []
    plain = zarr.Array.__setitem__

    def spy(self: zarr.Array, key: slice, value: np.ndarray) -> None:
        written.append(key)
        plain(self, key, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", spy)
    array = np.random.default_rng(0).integers(0, 255, (37, 4, 5)).astype(np.uint8)
    with create(tmp_path / "a.ome.zarr", Volume(array), np.uint8) as put:
        block = np.empty((7, 4, 5), np.uint8)
        for start in range(0, 37, 7):
            part = block[: len(array[start : start + 7])]
            part[:] = array[start : start + 7]
            put(part)
            part[:] = 0  # the caller uses its block again
    assert written == [slice(0, 16), slice(16, 32), slice(32, 37)]
    volume = read(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert volume.slab_depth(6 * 4 * 5) == 16


def test_an_image_of_others(tmp_path: Path) -> None:
    """OME-Zarr 0.4 (zarr v2), five axes, micrometres, a transformation of the image after that of the array."""
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    data = np.arange(24, dtype=np.uint16).reshape(1, 1, 2, 3, 4)
    group.create_array("s0", data=data)
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
            + [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"],
            "datasets": [{"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 5, 2, 2]}]}],
            "coordinateTransformations": [{"type": "translation", "translation": [0, 0, 30, 20, 10]}],
        }
    ]
    volume = read(tmp_path / "a.zarr")
    assert volume.spacing_mm == (0.005, 0.002, 0.002)
    assert volume.origin_mm == (0.01, 0.02, 0.03)
    np.testing.assert_array_equal(volume.array[1, 1:], data[0, 0, 1, 1:])


def test_a_plain_array(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.ones((2, 3, 4), np.float32))
    volume = read(tmp_path / "a.zarr")
    assert volume.shape == (2, 3, 4)
    assert volume.metadata["voxel_size_known"] == "no"


def test_what_cannot_be_used(scan: Volume, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "four.zarr", data=np.ones((2, 2, 3, 4), np.float32))
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    write(scan, tmp_path / "damaged.zarr")
    (tmp_path / "damaged.zarr/0/c/0/0/0").write_bytes(b"no zstd")
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text("{")
    for name, reason in {"four": "wanted a 3D volume", "empty": "without 'multiscales'", "broken": "as zarr"}.items():
        with pytest.raises(InputError, match=reason):
            read(tmp_path / f"{name}.zarr")
    with pytest.raises(InputError, match="damaged chunk"):
        read(tmp_path / "damaged.zarr").array[0:1]


def test_the_named_array_is_missing(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.ome.zarr")
    (tmp_path / "a.ome.zarr" / "0").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="has no array '0'"):
        read(tmp_path / "a.ome.zarr")
