import numpy as np
import pytest

from ImplantSegLib import cli
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
