"""The verbs on small files: a pin in bone, its reference as a label volume, the pose known."""

import json
import math

import numpy as np
import pytest

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import FieldOfView, Volume, read, write
from ImplantSegQuantLib.pose import Pose, load_pose, save_pose

MM = 0.05
SHAPE = (16, 60, 60)


def radius_mm():
    y, x = ((np.arange(n) - 29.4) * MM for n in SHAPE[1:])
    return np.broadcast_to(np.hypot(y[:, None], x), SHAPE)


def pin(layer_mm=0.7):
    bone = np.where(np.arange(SHAPE[2]) > 29, 3, 0)
    return np.where(radius_mm() < 0.5, 1, np.where(radius_mm() < layer_mm, 2, bone)).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    origin = (1.0, 2.0, 3.0)
    write(Volume(pin(), (MM,) * 3, origin), tmp_path / "labels.seg.nrrd")
    write(Volume(pin(0.8), (MM,) * 3, origin), tmp_path / "truth.nrrd")
    write(Volume((100 * pin()).astype(np.uint16), (MM,) * 3, origin), tmp_path / "scan.nrrd")
    reference = Volume((radius_mm() < 0.6).astype(np.uint8), (MM,) * 3)  # cut at both ends, as the field of view is
    write(reference, tmp_path / "reference.nrrd")
    pose = np.eye(4)
    pose[:3, 3] = -np.array(origin)
    save_pose(Pose(pose), tmp_path / "known.tfm")
    return tmp_path


def quantify(files, *more):
    names = ["--reference", files / "reference.nrrd", "--pose", files / "known.tfm", "-o", files / "out"]
    argv = ["quantify", files / "labels.seg.nrrd", *names, "--weeks", 12, "--progress", "none", *more]
    return cli.main([str(part) for part in argv])


@pytest.mark.slow
def test_quantify_writes_every_file(files, capsys):
    assert quantify(files, "--truth", files / "truth.nrrd", "--image", files / "scan.nrrd") == 0
    out = files / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "contact.vtp", "job.toml", "pose.tfm", "reference.vtp", "report.html", "results.csv", "results.json", "roi.nrrd"
    ]  # fmt: skip
    result = json.loads((out / "results.json").read_text())
    value = {name: entry["value"] for name, entry in result["measurements"].items()}
    height = SHAPE[0] * MM
    assert value["initial_volume"] == pytest.approx(math.pi * 0.6**2 * height, rel=0.01)
    assert value["degradation_rate_unbiased"] == pytest.approx(
        (0.6**2 - 0.5**2) / (2 * 0.6) / (12 * 7 / 365.25), rel=0.04
    )
    assert result["measurements"]["degradation_rate"]["unit"] == "mm/a"
    assert result["measurements"]["degradation_rate"]["interval"] is None
    assert result["profiles"]["bone_implant_contact_by_gap"]["percent"][0] == value["bone_implant_contact"]
    assert set(result["truth_profiles"]) == set(result["profiles"])
    assert result["truth"]["degradation_layer_volume"]["value"] > value["degradation_layer_volume"]
    assert result["relative_error_percent"]["residual_volume"] == 0
    assert result["iou_percent"]["residual_material"] == 100
    assert 50 < result["iou_percent"]["degradation_layer"] < 90
    assert 50 < result["mean_iou_percent"] < 100
    assert result["provenance"]["inputs"]["segmentation"]["sha256"]
    assert result["definitions"]["days_per_year"] == 365.25
    np.testing.assert_allclose(load_pose(out / "pose.tfm").matrix, load_pose(files / "known.tfm").matrix)
    roi = read(out / "roi.nrrd")
    assert roi.same_grid(read(files / "labels.seg.nrrd"))
    assert roi.dtype == np.uint8
    assert set(np.unique(roi.array[:])) == {0, 1}
    assert np.asarray(roi.array[:]).sum() * MM**3 == pytest.approx(value["roi_volume"])
    contact = vtk_array(out / "contact.vtp", "contact")
    assert 100.0 * (int(contact.sum()) / contact.size) == value["bone_implant_contact"]
    assert vtk_array(out / "reference.vtp", "corrosion_depth_um").mean() == pytest.approx(100, abs=10)
    assert vtk_array(out / "reference.vtp", "distance_um").mean() == pytest.approx(100, abs=10)
    printed = capsys.readouterr().out
    assert "degradation_rate" in printed
    assert "report.html" in printed


def vtk_array(path, name):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    found = reader.GetOutput()
    return vtk_to_numpy(found.GetPointData().GetArray(name) or found.GetCellData().GetArray(name))


@pytest.mark.slow
def test_without_surfaces_those_of_an_earlier_run_go_too(files):
    (files / "out").mkdir()
    (files / "out" / "contact.vtp").write_text("of an earlier run")
    assert quantify(files, "--no-surfaces") == 0
    assert not list((files / "out").glob("*.vtp"))


@pytest.mark.slow
def test_job_file_gives_the_same_numbers_again(files):
    assert quantify(files) == 0
    again = files / "again"
    assert cli.main(["quantify", "--job", str(files / "out" / "job.toml"), "-o", str(again), "--progress", "none"]) == 0
    first, second = (
        json.loads((folder / "results.json").read_text())["measurements"] for folder in (files / "out", again)
    )
    assert first == second


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--weeks", "0"], "healing time of 0.0 weeks"),
        (["--weeks", "nan"], "healing time of nan weeks"),
        (["--roi-mm", "-1"], "region of interest of -1.0 mm"),
        (["--pose", "missing.tfm"], "missing.tfm"),
        (["--reference", "missing.nrrd"], "missing.nrrd"),
        (["--truth", "missing.nrrd"], "missing.nrrd"),
        (["--fov", "circle:1,2"], "wanted circle:CY,CX,R"),
        (["--spacing-um", "50000"], "one of them is not in mm"),
    ],
)
def test_wrong_options_end_with_one_sentence(files, capsys, more, words):
    assert quantify(files, *more) == 2
    error = capsys.readouterr().err
    assert words in error
    assert sum(line.startswith("error: ") for line in error.splitlines()) == 1
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: np.where(labels == 2, 255, labels), "nobody has labelled"),
        (lambda labels: np.where(labels == 2, 9, labels), "holds label 9"),
        (lambda labels: np.where(np.isin(labels, (1, 2)), 0, labels), "has no implant"),
        (lambda labels: np.where(labels == 2, np.nan, labels).astype(np.float32), "holds NaN"),
    ],
)
def test_labels_that_cannot_be_quantified(files, capsys, change, words):
    write(Volume(change(pin()), (MM,) * 3, (1.0, 2.0, 3.0)), files / "wrong.nrrd")
    (files / "labels.seg.nrrd").unlink()
    (files / "wrong.nrrd").rename(files / "labels.seg.nrrd")
    assert quantify(files) == 2
    assert words in capsys.readouterr().err


def test_truth_on_another_grid(files, capsys):
    write(Volume(pin()[1:], (MM,) * 3, (1.0, 2.0, 3.0)), files / "other.nrrd")
    assert quantify(files, "--truth", files / "other.nrrd") == 2
    assert "different grids: shape (16, 60, 60)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_mask_is_a_field_of_view_like_the_circle_it_draws(files):
    labels = read(files / "labels.seg.nrrd")
    circle = "circle:29.4,29.4,25"
    mask = FieldOfView.parse(circle).slab_mask(slice(0, SHAPE[0]), SHAPE)
    write(labels.like(mask.astype(np.uint8)), files / "mask.nrrd")
    found = []
    for fov in (circle, files / "mask.nrrd"):
        assert quantify(files, "--fov", fov) == 0
        found.append(json.loads((files / "out" / "results.json").read_text()))
    assert found[0]["measurements"] == found[1]["measurements"]
    assert found[1]["provenance"]["inputs"]["fov"]["sha256"]
    height = SHAPE[0] * MM
    assert found[1]["measurements"]["roi_volume"]["value"] == pytest.approx(math.pi * (25 * MM) ** 2 * height, rel=0.02)


@pytest.mark.parametrize(("cut", "words"), [(slice(1, None), "shape (15, 60, 60)"), (slice(None), "origin (0, 0, 0)")])
def test_a_mask_on_another_grid(files, capsys, cut, words):
    write(Volume(np.ones(SHAPE, np.uint8)[cut], (MM,) * 3), files / "mask.nrrd")
    for verb in (quantify, register):
        assert verb(files, "--fov", files / "mask.nrrd") == 2
        error = capsys.readouterr().err
        assert "the segmentation and the mask of the field of view are on different grids" in error
        assert words in error


def test_results_cannot_be_written(files, capsys):
    (files / "out").write_text("a file")
    assert quantify(files) == 2
    assert "is a file" in capsys.readouterr().err


def test_what_is_missing_is_named(capsys):
    assert cli.main(["quantify", "labels.nrrd", "--weeks", "3"]) == 2
    assert "got no --reference and no -o OUTDIR" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "register", "quantify"])
def test_help_has_examples(verb, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert f"  implantseg {verb} " in capsys.readouterr().out


def test_evaluate_prints_and_writes_scores(files, capsys):
    names = [str(files / name) for name in ("labels.seg.nrrd", "truth.nrrd")]
    assert cli.main(["evaluate", *names, "-o", str(files / "scores.json"), "--progress", "none"]) == 0
    scores = json.loads((files / "scores.json").read_text())
    counts = np.array(scores["confusion"])
    assert counts.sum() == np.prod(SHAPE)
    assert scores["iou_percent"]["bone"] == 100 * counts[3, 3] / (counts[3].sum() + counts[:, 3].sum() - counts[3, 3])
    assert set(scores) >= {"iou_percent", "mean_iou_percent", "dice_percent", "surface_dice_percent", "confusion"}
    assert "mean IoU" in capsys.readouterr().out


def test_inputs_are_not_overwritten(files, capsys):
    labels, truth, out = files / "labels.seg.nrrd", files / "truth.nrrd", files / "out"
    assert cli.main(["evaluate", str(labels), str(truth), "-o", str(labels), "--progress", "none"]) == 2
    assert cli.main(["quality", str(labels), "-o", str(labels), "--progress", "none"]) == 2
    out.mkdir()
    (files / "known.tfm").rename(out / "pose.tfm")
    assert quantify(files, "--pose", out / "pose.tfm") == 2
    assert capsys.readouterr().err.count("as input and as output") == 3
    assert read(labels).shape == SHAPE


def test_a_wrong_truth_is_told_by_its_name_before_the_long_work(files, capsys, monkeypatch):
    monkeypatch.setattr("ImplantSegQuantLib.reference.load", lambda _: pytest.fail("the long work began"))
    truth = read(files / "truth.nrrd")
    write(truth.like(np.full(SHAPE, 300, np.uint16)), files / "wrong.nrrd")
    assert quantify(files, "--truth", files / "wrong.nrrd") == 2
    assert "the truth holds the value 300" in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_that_fails_leaves_no_results(files, monkeypatch):
    def full(*_, **__):
        raise InputError("cannot write report.html: the disk is full")

    monkeypatch.setattr("ImplantSegQuantLib.report.write_report", full)
    assert quantify(files) == 2
    assert not (files / "out").exists()


def register(files, *more):
    names = ["--reference", files / "reference.nrrd", "-o", files / "found.tfm", "--progress", "none"]
    return cli.main(["register", *map(str, [files / "labels.seg.nrrd", *names, *more])])


def test_register_refines_a_start_and_tells_the_fit_as_json(files, capsys):
    labels = read(files / "labels.seg.nrrd")
    write(labels.like(pin(0.6)), files / "sound.nrrd")  # the layer ends where the reference does
    (files / "sound.nrrd").replace(files / "labels.seg.nrrd")
    start = np.eye(4)
    start[:3, 3] = -1.02, -2.03, -3.0
    save_pose(Pose(start), files / "rough.tfm")
    more = ["--start", files / "rough.tfm", "--surface", files / "fit.vtp", "--json", "--verbose"]
    assert register(files, *more) == 0
    printed = capsys.readouterr()
    assert "nothing is searched" in printed.err
    fit = json.loads(printed.out)
    assert fit["searched"] is False
    assert fit["start"] == str(files / "rough.tfm")
    assert fit["quality"]["surface_distance_95_um"] >= fit["quality"]["surface_distance_mean_um"] > 0
    moved = load_pose(files / "found.tfm").matrix - load_pose(files / "known.tfm").matrix
    assert np.abs(moved[:2, 3]).max() < 0.1 * MM
    distance = vtk_array(files / "fit.vtp", "distance_um")
    assert np.abs(distance).max() <= 1000
    assert set(vtk_array(files / "fit.vtp", "inside_fov")) <= {0, 1}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--surface", "fit.stl"], "wanted a name that ends with .vtp"),
        (["--start", "missing.tfm"], "missing.tfm"),
        (["--start", "found.tfm"], "as input and as output"),
    ],
)
def test_wrong_options_of_register(files, capsys, more, words, monkeypatch):
    monkeypatch.chdir(files)
    assert register(files, *more) == 2
    assert words in capsys.readouterr().err
    assert not (files / "found.tfm").exists()
