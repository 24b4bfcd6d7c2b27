from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.cli import main
from ImplantSegLib.volumes import Volume, read, write

QUIET = ["--progress", "none"]


def test_info_as_a_table(scan: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(scan, tmp_path / "a.nrrd")
    assert main(["info", str(tmp_path / "a.nrrd"), *QUIET]) == 0
    text = capsys.readouterr().out
    for part in ("NRRD, memory-mapped", "5 × 6 × 7", "uint16", "2.76 × 2.77 × 3 µm", "circle:2.5,3,2.25", "0 to 209"):
        assert part in text
    assert "note = two lines, µm" in text


def test_info_as_json(scan: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(scan, tmp_path / "a.mha")
    assert main(["info", str(tmp_path / "a.mha"), "--json", *QUIET]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["shape"] == [5, 6, 7]
    assert found["dtype"] == "uint16"
    assert found["bytes"] == 420
    np.testing.assert_allclose(found["voxel_size_um"], [2.76, 2.77, 3.0])
    np.testing.assert_allclose(found["size_mm"], [0.0138, 0.01662, 0.021])
    np.testing.assert_allclose(found["direction"], scan.direction)
    assert found["fov"] == "circle:2.5,3,2.25"
    assert found["metadata"]["note"] == scan.metadata["note"]
    assert found["values"]["minimum"] == 0
    assert found["values"]["maximum"] == 209
    assert found["values"]["mean"] == 104.5
    assert found["values"]["percentiles"]["50"] == 104


def test_info_of_segments(labels: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = np.array(labels.array)
    array[0, 0, 0] = 255
    write(labels.like(array), tmp_path / "a.seg.nrrd")
    assert main(["info", str(tmp_path / "a.seg.nrrd"), "--json", *QUIET]) == 0
    segments = json.loads(capsys.readouterr().out)["segments"]
    assert [one["name"] for one in segments] == [
        "Background", "Residual material", "Degradation layer", "Bone", "Ignore"
    ]  # fmt: skip
    for one in segments:
        assert one["voxels"] == (array == one["value"]).sum()
        assert one["volume_mm3"] == pytest.approx(one["voxels"] * labels.voxel_volume_mm3)
    assert main(["info", str(tmp_path / "a.seg.nrrd"), *QUIET]) == 0
    assert "Degradation layer" in capsys.readouterr().out


def test_info_finds_the_circle_and_tells_of_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = np.random.default_rng(0).normal(size=(9, 60, 60)).astype(np.float32)
    y, x = np.ogrid[:60, :60]
    array[:, (y - 29.5) ** 2 + (x - 29.5) ** 2 > 900] = np.nan
    write(Volume(array), tmp_path / "a.nrrd")
    assert main(["info", str(tmp_path / "a.nrrd"), "--json", *QUIET]) == 0
    found = json.loads(capsys.readouterr().out)
    circle = [float(part) for part in found["fov"].removeprefix("circle:").split(",")]
    np.testing.assert_allclose(circle, (29.5, 29.5, 30.0), atol=0.1)
    assert found["fov_source"] == "grey values"
    assert found["values"]["not_finite"] == np.isnan(array).sum()
    assert main(["info", str(tmp_path / "a.nrrd"), "--header-only", *QUIET]) == 0
    text = capsys.readouterr().out
    assert "the metadata name none" in text
    assert "percentiles" not in text


def test_info_of_a_hopeless_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(Volume(np.full((2, 3, 4), np.nan, np.float32), metadata={"voxel_size_known": "no"}), tmp_path / "a.nrrd")
    assert main(["info", str(tmp_path / "a.nrrd"), *QUIET]) == 0
    text = capsys.readouterr().out
    assert "24 voxels are NaN or infinite" in text
    assert "not known: 1 mm is a guess" in text


def test_convert_through_every_format(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nrrd")
    chain = ["a.nrrd", "b.mha", "c.tif", "d", "e.ome.zarr", "f.mhd", "g.nrrd"]
    for source, target in itertools.pairwise(chain):
        assert main(["convert", str(tmp_path / source), str(tmp_path / target), *QUIET]) == 0
    again = read(tmp_path / "g.nrrd")
    np.testing.assert_array_equal(np.asarray(again.array), scan.array)
    np.testing.assert_allclose(again.index_to_world, scan.index_to_world, rtol=0, atol=1e-12)
    assert again.metadata == scan.metadata


def test_convert_type_spacing_and_compression(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nrrd")
    options = ["--dtype", "uint8", "--spacing-um", "5", "--compress", *QUIET]
    assert main(["convert", str(tmp_path / "a.nrrd"), str(tmp_path / "b.nrrd"), *options]) == 0
    again = read(tmp_path / "b.nrrd")
    assert again.dtype == np.uint8
    np.testing.assert_allclose(again.spacing_mm, 0.005, rtol=1e-12)
    assert "temporary" in again.array.how


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no.nrrd", "b.nrrd"], "no.nrrd does not exist"),
        (["a.nrrd", "b.xyz"], "got b.xyz, wanted a volume"),
        (["a.nrrd", "b.seg.nrrd"], "got label value"),
        (["a.nrrd", "b.tif", "--dtype", "int8"], "wanted -128 to 127 for int8"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], reason: str, scan: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(scan, tmp_path / "a.nrrd")
    source, target, *options = arguments
    assert main(["convert", str(tmp_path / source), str(tmp_path / target), *options, *QUIET]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.nrrd"]


@pytest.mark.parametrize("verb", ["info", "convert"])
def test_help_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    assert f"examples:\n  implantseg {verb} " in capsys.readouterr().out


def test_the_real_stack(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices = str(real_data / "lhdl_trabecular" / "slices")
    assert main(["convert", slices, str(tmp_path / "bone.nrrd"), "--spacing-um", "19.5", *QUIET]) == 0
    assert main(["info", str(tmp_path / "bone.nrrd"), "--json", *QUIET]) == 0
    found = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert found["shape"] == [200, 200, 200]
    assert found["voxel_size_um"] == [19.5, 19.5, 19.5]
    np.testing.assert_allclose(found["size_mm"], [3.9, 3.9, 3.9])


def test_a_volume_is_not_converted_into_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slices"
    write(Volume(np.zeros((3, 4, 5), np.uint8)), path)
    assert main(["convert", str(path), str(path), "--progress", "none"]) == 2
    assert "as input and as output" in capsys.readouterr().err
