import dataclasses
import json

import numpy as np
import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.volumes import Volume, read, write


def run(*arguments):
    return cli.main(["segment", *map(str, arguments), "--progress", "none"])


def test_segment_writes_labels_and_names_them(case, tmp_path, capsys):
    out = tmp_path / "labels.seg.nrrd"
    assert run(case.scan, out, "--model", case.model, "--fov", "box", "--no-postprocess") == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert (read(out).array[:] == case.labels).all()


def test_dry_run_estimates_and_writes_nothing(case, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    assert run(case.scan, tmp_path / "labels.nrrd", "--model", case.model, "--fov", "box", "--dry-run") == 0
    told = capsys.readouterr().out
    for word in ("windows     1 of 40 × 36 pixels", "slabs       1 of 14", "memory", "disk", "time        about 0 min"):
        assert word in told
    assert sorted(tmp_path.iterdir()) == before


def told_as_json(capsys, *arguments):
    assert run(*arguments, "--dry-run", "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_dry_run_as_json(case, tmp_path, capsys, monkeypatch):
    # the field of view is not looked for, nor the grey range: the voxels of a huge scan stay on disk
    monkeypatch.setattr("ImplantSegLib.volumes.voxels.RawVoxels.__getitem__", None)
    told = told_as_json(capsys, case.scan, tmp_path / "labels.nrrd", "--model", case.model, "--crop", "0:9,:,:")
    assert told["shape"] == [9, 40, 36]
    assert told["voxel_size_um"] == pytest.approx([10, 10, 10])
    assert (told["device"], told["slabs"], told["slab_depth"]) == ("cpu", 1, 9)
    assert told["precision"] in ("float32", "bf16")
    assert told["memory_bytes"] > 2**29
    assert told["disk_bytes"] == 2 * 9 * 40 * 36
    assert 0 <= told["seconds"] < 60
    assert told["warnings"] == []


def test_json_without_dry_run_is_refused(case, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        run(case.scan, tmp_path / "labels.nrrd", "--json")
    assert ended.value.code == 2
    assert "--json goes with --dry-run only" in capsys.readouterr().err


def test_dry_run_tells_what_speaks_against_the_run(case, tmp_path, capsys, monkeypatch):
    bundle = models.load(case.model)
    trained = dataclasses.replace(bundle, provenance={"recipe": {"sampling": {"patch": [48, 37]}}})
    models.save(case.model, trained, bundle.load_state())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**4}))
    arguments = (case.scan, tmp_path / "new" / "labels.nrrd", "--model", case.model, "--spacing-um", "8,4,4")
    voxels, cubes, small, disk = told_as_json(capsys, *arguments)["warnings"]
    assert voxels.startswith("the voxels of the scan (8 × 4 × 4 µm) are 0.50 times as large as the 10 × 10 × 10 µm")
    assert voxels.endswith("(implantseg preprocess SCAN BINNED --bin 2)")
    assert "no cubes" in cubes
    assert "(40 × 36 pixels) are smaller than the patches of 48 × 37 that the model was trained on" in small
    assert "the run needs 39 KiB of disk, 9.8 KiB are free" in disk


@pytest.mark.parametrize(
    ("spacing", "remedy"),
    [
        ("2", "bin the scan first (implantseg preprocess SCAN BINNED --bin 5)"),
        ("45", "reconstruction with voxels of 10 µm"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_voxels_of_another_kind_are_refused_unless_forced(case, tmp_path, capsys, spacing, remedy, dry):
    arguments = (case.scan, tmp_path / "labels.nrrd", "--model", case.model, "--spacing-um", spacing, "--fov", "box")
    assert run(*arguments, *dry) == 2
    told = capsys.readouterr().err
    assert "wanted a factor of at most 4" in told
    assert remedy in told
    assert not (tmp_path / "labels.nrrd").exists()
    assert run(*arguments, *dry, "--any-voxel-size") == 0


def test_results_that_cannot_be_written_are_refused_before_the_work(case, tmp_path, capsys):
    assert run(case.scan, tmp_path / "l.nrrd", "--model", case.model, "--probabilities", tmp_path / "y.nrrd") == 2
    assert "wanted a name that ends with .ome.zarr; pass --probabilities" in capsys.readouterr().err
    (tmp_path / "p.ome.zarr").mkdir()
    (tmp_path / "p.ome.zarr" / "thesis.txt").touch()
    assert run(case.scan, tmp_path / "l.nrrd", "--model", case.model, "--probabilities", tmp_path / "p.ome.zarr") == 2
    assert "folder with other files" in capsys.readouterr().err
    same = tmp_path / "l.ome.zarr"
    assert run(case.scan, same, "--model", case.model, "--probabilities", same) == 2
    assert "for two results" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nearest.safetensors", "p.ome.zarr", "scan.nrrd"]


@pytest.mark.parametrize("name", ["labels.nrrd", "labels.seg.nrrd"])
def test_labels_are_no_scan(case, tmp_path, capsys, name):
    write(Volume(case.labels, (0.01,) * 3), tmp_path / name)
    assert run(tmp_path / name, tmp_path / "out.nrrd", "--model", case.model) == 2
    assert "is a label volume" in capsys.readouterr().err


def test_nothing_to_resume_is_told(case, tmp_path, capsys):
    out = tmp_path / "labels.nrrd"
    assert run(case.scan, out, "--model", case.model, "--fov", "box", "--resume") == 0
    assert f"nothing to resume for {out}: starting anew" in capsys.readouterr().err
    assert out.exists()
    written = out.stat().st_mtime_ns
    assert run(case.scan, out, "--model", case.model, "--fov", "box", "--resume") == 0
    told = capsys.readouterr()
    assert f"{out} was finished before by the same job: nothing to do" in told.err
    assert told.out.strip() == str(out)
    assert out.stat().st_mtime_ns == written
    assert run(case.scan, out, "--model", case.model, "--fov", "box", "--resume", "--keep-largest") == 0
    assert out.stat().st_mtime_ns > written


@pytest.mark.parametrize("missing", ["scan", "model"])
def test_missing_files_end_with_2(case, tmp_path, capsys, missing):
    scan = tmp_path / "none.nrrd" if missing == "scan" else case.scan
    model = tmp_path / "none.safetensors" if missing == "model" else case.model
    assert run(scan, tmp_path / "labels.nrrd", "--model", model) == 2
    assert "none." in capsys.readouterr().err
    assert not (tmp_path / "labels.nrrd").exists()


def test_too_little_memory_ends_with_3(case, tmp_path, capsys):
    assert run(case.scan, tmp_path / "labels.nrrd", "--model", case.model, "--max-memory", "1MiB") == 3
    assert "--max-memory" in capsys.readouterr().err


def test_circle_is_found_and_kept(case, tmp_path):
    # a reconstruction circle: one grey value outside
    large = read(case.scan).array[:].repeat(3, axis=1).repeat(3, axis=2)
    y, x = np.ogrid[: large.shape[1], : large.shape[2]]
    outside = (y - 59.5) ** 2 + (x - 53.5) ** 2 > 52**2
    write(Volume(np.where(outside, 0, large).astype(np.uint16), (0.01,) * 3), case.scan)
    assert run(case.scan, tmp_path / "labels.nrrd", "--model", case.model, "--no-postprocess") == 0
    result = read(tmp_path / "labels.nrrd")
    assert result.metadata["fov"].startswith("circle:")
    assert not result.array[:][:, outside].any()
    assert result.array[:].any()


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    assert "implantseg segment scan.nrrd labels.seg.nrrd --dry-run" in capsys.readouterr().out
