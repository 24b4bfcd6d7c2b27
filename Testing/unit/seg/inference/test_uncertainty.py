from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import SegmentJob, plan, segment
from ImplantSegLib.inference.runtime import Predictor
from ImplantSegLib.inference.uncertainty import entropy
from ImplantSegLib.volumes import FieldOfView, read


def one_voxel(*shares):
    return np.array(shares, np.float32).reshape(4, 1, 1, 1)


@pytest.mark.parametrize(
    ("shares", "value"),
    [
        ((1, 0, 0, 0), 0),
        ((0, 0, 0, 1), 0),
        ((0.25, 0.25, 0.25, 0.25), 255),
        ((0.5, 0.5, 0, 0), 128),  # ln 2 / ln 4 = 1/2
        ((0.9, 0.1, 0, 0), round(255 * -(0.9 * np.log(0.9) + 0.1 * np.log(0.1)) / np.log(4))),
        ((1 + 1e-6, -1e-6, 0, 0), 0),  # rounding leaves no NaN behind
    ],
)
def test_entropy_of_known_probabilities(shares, value):
    assert entropy(one_voxel(*shares)).item() == value


def test_entropy_is_the_textbook_formula_and_0_outside():
    random = np.random.default_rng(0)
    values = random.dirichlet([0.3] * 4, (3, 5, 6)).transpose(3, 0, 1, 2).astype(np.float32)
    mask = random.random((3, 5, 6)) > 0.3
    exact = -(values * np.log(values)).sum(axis=0, where=values > 0, dtype=np.float64) / np.log(4)
    found = entropy(values, mask)
    assert found.dtype == np.uint8
    assert np.abs(found[mask] / 255 - exact[mask]).max() <= 0.5001 / 255
    assert not found[~mask].any()


def job(case, tmp_path, name="labels.nrrd", **options):
    return SegmentJob(Path(case.scan), tmp_path / name, case.model, **{"fov": "circle:20,18,16", **options})


@pytest.mark.parametrize("name", ["unsure.nrrd", "unsure.mha", "unsure.tif", "unsure.ome.zarr"])
def test_uncertainty_is_high_at_borders_only(case, tmp_path, name):
    segment(job(case, tmp_path, uncertainty=tmp_path / name, postprocess=False, precision="float32", across=1.0))
    found = read(tmp_path / name)
    assert found.dtype == np.uint8
    assert found.same_grid(case.volume)
    assert found.metadata["uncertainty"] == "entropy of the class probabilities / ln 4 = value / 255"
    values = np.asarray(found.array[:])
    inside = FieldOfView.parse("circle:20,18,16").slab_mask(slice(0, 14), values.shape)
    assert inside is not None
    assert not values[~inside].any()
    assert values[7, 22, 20] < 10  # deep in the metal
    assert values[7, 20, 12] < 10
    assert values[4, 20, 20] > 50  # metal in this slice, layer in the one above: averaged across slices
    assert read(tmp_path / "labels.nrrd").metadata["content"] == "labels"


class Killed(BaseException):
    """Stands for a kill."""


def test_a_killed_run_resumes_to_the_same_uncertainty(case, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "_DEPTH", 3)
    segment(job(case, tmp_path, "a.nrrd", uncertainty=tmp_path / "ua.nrrd"))
    whole, calls = Predictor.block, []

    def block(self, grey):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return whole(self, grey)

    monkeypatch.setattr(Predictor, "block", block)
    again = job(case, tmp_path, "b.nrrd", uncertainty=tmp_path / "ub.nrrd")
    with pytest.raises(Killed):
        segment(again)
    assert not (tmp_path / "ub.nrrd").exists()
    segment(again, resume=True)
    np.testing.assert_array_equal(read(tmp_path / "ub.nrrd").array[:], read(tmp_path / "ua.nrrd").array[:])
    with pytest.raises(Killed):
        calls.clear()
        segment(again)
    with pytest.raises(InputError, match="had other options"):
        segment(job(case, tmp_path, "b.nrrd"), resume=True)


def test_results_come_all_or_none(case, tmp_path, monkeypatch):
    options = {"uncertainty": tmp_path / "u.nrrd", "probabilities": tmp_path / "p.ome.zarr"}
    (tmp_path / "u.nrrd").write_text("old")
    wanted = job(case, tmp_path, **options)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.move", full)
        with pytest.raises(InputError, match="the disk is full"):
            segment(wanted)
    names = {path.name for path in tmp_path.iterdir()} - {"scan.nrrd", "nearest.safetensors"}
    assert names == {"u.nrrd", ".labels.nrrd.work"}
    assert (tmp_path / "u.nrrd").read_text() == "old"
    segment(wanted, resume=True)
    names = {path.name for path in tmp_path.iterdir()} - {"scan.nrrd", "nearest.safetensors"}
    assert names == {"labels.nrrd", "labels.nrrd.job.toml", "u.nrrd", "p.ome.zarr"}
    assert read(tmp_path / "u.nrrd").shape == case.labels.shape


def test_probabilities_that_were_moved_away_are_computed_again(case, tmp_path, monkeypatch):
    wanted = job(case, tmp_path, probabilities=tmp_path / "p.ome.zarr")
    with monkeypatch.context() as patch:
        patch.setattr("ImplantSegLib.inference.predict.write_results", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            segment(wanted)
    (tmp_path / ".labels.nrrd.work" / "probabilities.ome.zarr").rename(tmp_path / ".partial-p.ome.zarr")
    segment(wanted, resume=True)
    assert (tmp_path / "p.ome.zarr").is_dir()
    assert not (tmp_path / ".partial-p.ome.zarr").exists()


def test_a_segmentation_is_no_uncertainty(case, tmp_path, capsys):
    arguments = ["segment", case.scan, str(tmp_path / "l.nrrd"), "--model", case.model, "--progress", "none"]
    assert cli.main([*arguments, "--uncertainty", str(tmp_path / "u.seg.nrrd")]) == 2
    assert "which is no segmentation; pass a .nrrd" in capsys.readouterr().err
    assert cli.main([*arguments, "--uncertainty", str(tmp_path / "l.nrrd")]) == 2
    assert "for two results" in capsys.readouterr().err
