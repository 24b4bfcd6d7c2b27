import json

import numpy as np
import pytest

from ImplantSegLib import cli, jobs
from ImplantSegLib.preprocess import pipeline
from ImplantSegLib.volumes import Volume, read, write


@pytest.fixture
def scan(tmp_path):
    """Two materials and noise, uint16, at oblique spacing."""
    random = np.random.default_rng(0)
    array = 2000 + 3000 * (np.arange(33) > 15) + random.normal(0, 150, (13, 32, 33))
    volume = Volume(array.astype(np.uint16), (0.003, 0.004, 0.005), (1.0, 2.0, 3.0))
    write(volume, tmp_path / "scan.nrrd")
    return tmp_path / "scan.nrrd"


def run(*arguments):
    return cli.main([*map(str, arguments), "--progress", "none"])


def test_preprocess_bins_denoises_scales_and_records(scan, tmp_path, capsys):
    out = tmp_path / "out.nrrd"
    assert run("preprocess", scan, out, "--bin", 3, "--denoise", "nlm", "--fov", "box") == 0
    result = read(out)
    assert result.shape == (4, 10, 11)
    assert result.spacing_mm == pytest.approx((0.009, 0.012, 0.015), rel=1e-12)
    assert result.array[:].min() == 0
    assert result.array[:].max() == 1
    assert "drops the last 1 slices, 2 rows and 0 columns" in capsys.readouterr().err
    record = json.loads(result.metadata["preprocessing"])
    assert record["bin"] == 3
    assert len(record["nlm"]["sigmas"]) == 3
    low, high = map(float, result.metadata["normalised"].split(","))
    assert (low, high) == (record["low"], record["high"])
    assert 1800 < low < 2100 < 4900 < high < 5200
    job = jobs.load_toml(tmp_path / "out.nrrd.job.toml")
    assert job["found"]["low"] == low
    assert job["provenance"]["inputs"]["scan"]["path"] == str(scan)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.nrrd", "out.nrrd.job.toml", "scan.nrrd"]


def test_preprocess_of_the_result_is_refused(scan, tmp_path, capsys):
    assert run("preprocess", scan, tmp_path / "once.nrrd", "--fov", "box") == 0
    assert run("preprocess", tmp_path / "once.nrrd", tmp_path / "twice.nrrd") == 2
    assert "scaled to [0, 1] already" in capsys.readouterr().err
    assert not (tmp_path / "twice.nrrd").exists()


def test_scan_is_not_overwritten(scan, capsys):
    before = scan.read_bytes()
    assert run("preprocess", scan, scan) == 2
    assert "as input and as output" in capsys.readouterr().err
    assert scan.read_bytes() == before


def test_without_any_step_the_voxels_stay(scan, tmp_path):
    assert run("preprocess", scan, tmp_path / "same.nrrd", "--normalise", "none", "--fov", "box") == 0
    same = read(tmp_path / "same.nrrd")
    np.testing.assert_array_equal(same.array[:], read(scan).array[:])
    assert same.dtype == np.uint16


@pytest.mark.parametrize(
    ("fill", "words"), [(np.nan, "NaN or infinite"), (7.0, "every voxel of the scan has the grey value 7")]
)
@pytest.mark.parametrize("denoise", ["none", "nlm"])
def test_bad_scans_leave_nothing_behind(tmp_path, capsys, fill, words, denoise):
    array = np.full((3, 20, 20), fill, np.float32)
    write(Volume(array), tmp_path / "bad.nrrd")
    assert run("preprocess", tmp_path / "bad.nrrd", tmp_path / "out.nrrd", "--fov", "box", "--denoise", denoise) == 2
    error = capsys.readouterr().err
    assert words in error or "no noise to take away" in error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.nrrd"]


def test_full_disk_while_denoising_leaves_nothing_behind(scan, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline, "denoise", full)
    assert run("preprocess", scan, tmp_path / "out.nrrd", "--denoise", "nlm", "--fov", "box") == 2
    assert "the disk is full" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nrrd"]


def test_quality_prints_writes_and_draws(scan, tmp_path, capsys):
    labels = np.where(np.arange(33) > 15, 3, 0) * np.ones((13, 32, 1), np.uint8)
    write(read(scan).like(labels.astype(np.uint8)), tmp_path / "labels.nrrd")
    outputs = ["-o", tmp_path / "quality.json", "--figure", tmp_path / "histograms.png"]
    assert run("quality", scan, "--labels", tmp_path / "labels.nrrd", "--fov", "box", *outputs) == 0
    printed = capsys.readouterr().out
    assert "background/bone" in printed
    content = json.loads((tmp_path / "quality.json").read_text())
    assert content["cnr"]["background/bone"]["pooled"] == pytest.approx(3000 / np.hypot(150, 150), rel=0.05)
    assert (tmp_path / "histograms.png").read_bytes().startswith(b"\x89PNG")


def test_quality_of_a_part_takes_labels_of_the_whole_or_of_the_part(scan, tmp_path, capsys):
    whole, part, box = tmp_path / "whole.nrrd", tmp_path / "part.nrrd", "1:5,2:10,10:20"
    labels = np.where(np.arange(33) > 15, 3, 0) * np.ones((13, 32, 1), np.uint8)
    write(read(scan).like(labels.astype(np.uint8)), whole)
    assert run("convert", whole, part, "--crop", box) == 0
    told = []
    for path in (whole, part):
        capsys.readouterr()
        assert run("quality", scan, "--labels", path, "--crop", box, "--fov", "box", "--erode", "0", "--json") == 0
        told.append(json.loads(capsys.readouterr().out)["classes"])
    assert told[0] == told[1]
    assert told[0]["bone"]["voxels"] == 4 * 8 * 4
    assert run("quality", scan, "--labels", whole, "--erode", "-1") == 2
    assert "got a distance of -1 voxels" in capsys.readouterr().err


def test_quality_without_labels_says_so(scan, capsys):
    assert run("quality", scan, "--classes", 2, "--fov", "box") == 0
    assert "No labels given" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["preprocess", "quality"])
def test_help_has_examples(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        run(verb, "--help")
    assert ended.value.code == 0
    assert f"implantseg {verb} scan.nrrd" in capsys.readouterr().out


def test_crop_comes_before_all_else_and_the_place_is_kept(scan, tmp_path):
    whole = read(scan)
    options = ("--crop", "1:,2:32,:", "--fov", "circle:15.5,16,15", "--bin", 3, "--normalise", "none")
    assert run("preprocess", scan, tmp_path / "out.nrrd", *options) == 0
    result = read(tmp_path / "out.nrrd")
    expected = np.asarray(whole.array)[1:, 2:32].astype(np.float64).reshape(4, 3, 10, 3, 11, 3).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(result.array[:], expected, rtol=1e-6)
    np.testing.assert_allclose(result.index_to_world @ (0, 0, 0, 1), whole.index_to_world @ (2, 3, 1, 1), atol=1e-12)
    assert result.metadata["fov"] == "circle:4.1666667,5,5"
    assert json.loads(result.metadata["preprocessing"])["crop"] == "1:,2:32,:"


def test_a_crop_beyond_the_scan_is_refused(scan, tmp_path, capsys):
    assert run("preprocess", scan, tmp_path / "out.nrrd", "--crop", "0:14,:,:") == 2
    assert "reaches beyond the volume along z: wanted voxels from 0 to 13" in capsys.readouterr().err
    assert not (tmp_path / "out.nrrd").exists()
