"""Intervals of the whole verb: a pin whose boundaries the probabilities blur, its pose known."""

import dataclasses
import json

import jsonschema
import numpy as np
import pytest

from ImplantSegLib import cli, progress
from ImplantSegLib.inference.probabilities import Probabilities
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib import calibration, tables
from ImplantSegQuantLib.calibration import Calibration, Scores
from ImplantSegQuantLib.pose import Pose, save_pose
from ImplantSegQuantLib.schemas import RESULTS, schema

MM = 0.05
SHAPE = (16, 60, 60)
SHA = "c" * 64


def radius_mm():
    y, x = ((np.arange(n) - 29.4) * MM for n in SHAPE[1:])
    return np.broadcast_to(np.hypot(y[:, None], x), SHAPE)


def chances():
    """Metal inside 0.5 mm, layer to 0.7 mm, bone on one side; sure but for two voxels at each boundary."""
    radius, bone = radius_mm(), np.broadcast_to(np.arange(SHAPE[2]) > 29, SHAPE)
    inside = [1 / (1 + np.exp((radius - edge) / (0.4 * MM))) for edge in (0.5, 0.7)]
    values = np.zeros((4, *SHAPE), np.float32)
    values[1], values[2] = inside[0], inside[1] - inside[0]
    values[3], values[0] = (1 - inside[1]) * bone, (1 - inside[1]) * ~bone
    return values


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pin")
    values = chances()
    labels = Volume(values.argmax(axis=0).astype(np.uint8), (MM,) * 3, metadata={"model_sha256": SHA})
    write(labels, folder / "labels.seg.nrrd")
    store(folder / "p.ome.zarr", values, model_sha256=SHA, model="small")
    write(Volume((radius_mm() < 0.6).astype(np.uint8), (MM,) * 3), folder / "reference.nrrd")
    save_pose(Pose(np.eye(4)), folder / "known.tfm")
    calibration.save(learnt(), folder / "c.json")
    return folder


def store(path, values, **metadata):
    grid = Volume(values[0], (MM,) * 3)
    stored = Probabilities(path, grid, 8, metadata)
    for start in range(0, values.shape[1], 8):
        stored.write(slice(start, start + 8), values[:, start : start + 8])


def learnt(**changes):
    measures = {
        "residual_volume": Scores(0.1, tuple(np.linspace(-2, 2, 39))),
        "bone_implant_contact": Scores(0.2, tuple(np.linspace(-3, -2, 39))),
    }
    known = Calibration("pins", SHA, (50.0,) * 3, 8.0, 4, 2, measures)
    return dataclasses.replace(known, **changes)


def quantify(files, out, *more):
    names = ["--reference", files / "reference.nrrd", "--pose", files / "known.tfm", "-o", out, "--no-surfaces"]
    argv = ["quantify", files / "labels.seg.nrrd", *names, "--weeks", 12, "--progress", "none", *more]
    return cli.main([str(part) for part in argv])


def result_of(out):
    result = json.loads((out / "results.json").read_text())
    jsonschema.validate(result, schema(RESULTS))
    assert set(result) <= set(schema(RESULTS)["properties"])
    return result


@pytest.mark.slow
def test_every_measurement_has_an_interval_and_the_report_says_where_from(files, tmp_path, capsys):
    more = ("--probabilities", files / "p.ome.zarr", "--draws", 4, "--truth", files / "labels.seg.nrrd")
    assert quantify(files, tmp_path / "plain", *more) == 0
    result = result_of(tmp_path / "plain")
    for name, entry in result["measurements"].items():
        low, high = entry["interval"]
        assert low <= entry["value"] <= high, name
        assert entry["uncertainty"]["method"] == "uncalibrated"
    told = result["measurements"]["residual_volume"]["uncertainty"]
    assert told["sd_labels"] > 0
    assert (told["sd_registration"], told["sd_model"], told["dominated_by"]) == (0, None, "labels")
    low, high = told["bound_half_voxel"]
    assert (high - low) / 2 == pytest.approx(2 * np.pi * 0.5 * SHAPE[0] * MM * MM / 2, rel=0.03)
    assert result["measurements"]["initial_volume"]["uncertainty"]["dominated_by"] in ("registration", None)
    assert any("not calibrated" in warning for warning in result["warnings"])
    assert result["uncertainty"]["model_sha256"] == SHA
    assert "90 % interval" in capsys.readouterr().out
    page = (tmp_path / "plain" / "report.html").read_text()
    assert "How sure the numbers are" in page
    assert "90 % interval" in page
    header, first = (tmp_path / "plain" / "results.csv").read_text().splitlines()[:2]
    assert header.endswith("half_voxel_low,half_voxel_high")
    assert first.startswith("initial_volume")

    assert quantify(files, tmp_path / "calibrated", *more, "--calibration", files / "c.json") == 0
    result = result_of(tmp_path / "calibrated")
    contact, corrected = (result["measurements"][f"bone_implant_contact{end}"] for end in ("", "_corrected"))
    assert contact["interval"] == corrected["interval"]
    assert contact["interval"][1] < contact["value"]
    assert contact["interval"][0] < corrected["value"] < contact["interval"][1]
    assert result["truth"]["bone_implant_contact_corrected"]["value"] == contact["value"]  # it is its own truth here
    assert contact["uncertainty"]["dominated_by"] == "model"
    assert any("outside of its own interval: bone_implant_contact" in warning for warning in result["warnings"])
    assert result["uncertainty"]["calibration"]["scans"] == "pins"
    sentences = tables.uncertainty_sentences(result)
    assert "90 of 100 scans like those of the calibration: pins" in sentences[0]
    assert "Bone–implant contact: most of the interval comes from the model's own error." in sentences
    spans = [one["interval"] for one in tables.uncertainty_rows(result)]
    assert len(spans) == len(result["measurements"])


def test_without_probabilities_the_bound_stands_alone(files, tmp_path):
    assert quantify(files, tmp_path / "out") == 0
    result = result_of(tmp_path / "out")
    entry = result["measurements"]["bone_volume_fraction"]
    assert entry["interval"] is None
    assert entry["uncertainty"]["bound_half_voxel"][0] < entry["value"] < entry["uncertainty"]["bound_half_voxel"][1]
    assert "no class probabilities were given" in (tmp_path / "out" / "report.html").read_text()
    assert result["uncertainty"] == {}
    assert quantify(files, tmp_path / "less", "--no-bounds") == 0
    assert "uncertainty" not in result_of(tmp_path / "less")["measurements"]["bone_volume_fraction"]


def refused(files, tmp_path, capsys, *more):
    assert quantify(files, tmp_path / "out", *more) == 2
    assert not (tmp_path / "out" / "results.json").exists()
    return capsys.readouterr().err


def test_probabilities_that_are_none_or_of_something_else(files, tmp_path, capsys):
    said = refused(files, tmp_path, capsys, "--probabilities", tmp_path / "missing.ome.zarr")
    assert "there are no probabilities" in said
    said = refused(files, tmp_path, capsys, "--probabilities", files / "labels.seg.nrrd")
    assert "holds no class probabilities of ImplantSeg" in said
    store(tmp_path / "small.ome.zarr", chances()[:, :8])
    said = refused(files, tmp_path, capsys, "--probabilities", tmp_path / "small.ome.zarr")
    assert "on different grids" in said
    store(tmp_path / "other.ome.zarr", chances()[:, :, ::-1], model_sha256="d" * 64)
    said = refused(files, tmp_path, capsys, "--probabilities", tmp_path / "other.ome.zarr")
    assert "another model than the segmentation" in said
    store(tmp_path / "moved.ome.zarr", np.roll(chances(), 15, axis=3))
    said = refused(files, tmp_path, capsys, "--probabilities", tmp_path / "moved.ome.zarr")
    assert "do not belong to the segmentation" in said


def test_probabilities_of_another_number_of_classes(files, tmp_path, capsys):
    import zarr

    group = zarr.open_group(tmp_path / "three.ome.zarr", mode="w")
    group.attrs["implantseg"] = "{}"
    group.create_array("0", shape=(3, *SHAPE), dtype=np.uint8)
    said = refused(files, tmp_path, capsys, "--probabilities", tmp_path / "three.ome.zarr")
    assert "wanted uint8 of shape (4, z, y, x)" in said


def test_options_that_make_no_interval(files, tmp_path, capsys):
    assert "intervals of 100 %" in refused(files, tmp_path, capsys, "--level", 100)
    assert "got 1 draws" in refused(files, tmp_path, capsys, "--draws", 1)
    assert "no probabilities" in refused(files, tmp_path, capsys, "--calibration", files / "c.json")
    calibration.save(learnt(model_sha256="e" * 64), tmp_path / "foreign.json")
    chosen = ("--probabilities", files / "p.ome.zarr", "--calibration")
    assert "is of another model" in refused(files, tmp_path, capsys, *chosen, tmp_path / "foreign.json")
    assert "cannot read" in refused(files, tmp_path, capsys, *chosen, tmp_path / "missing.json")


@pytest.mark.slow
def test_a_calibration_at_other_voxels_or_with_more_draws_is_told(files, tmp_path):
    calibration.save(learnt(spacing_um=(10.0,) * 3, draws=16), tmp_path / "fine.json")
    chosen = ("--probabilities", files / "p.ome.zarr", "--calibration", tmp_path / "fine.json", "--draws", 2)
    assert quantify(files, tmp_path / "out", *chosen) == 0
    warnings = result_of(tmp_path / "out")["warnings"]
    assert any("5.00 times as large as those of the calibration" in warning for warning in warnings)
    assert any("got 2 draws, the calibration had 16" in warning for warning in warnings)


@pytest.mark.slow
def test_the_calibration_that_the_probabilities_carry_is_used_and_seeds_repeat(files, tmp_path):
    store(tmp_path / "p.ome.zarr", chances(), model_sha256=SHA, calibration=learnt().to_json())
    chosen = ("--probabilities", tmp_path / "p.ome.zarr", "--draws", 4)
    for out in ("one", "two"):
        assert quantify(files, tmp_path / out, *chosen) == 0
    one, two = (result_of(tmp_path / out)["measurements"] for out in ("one", "two"))
    assert one == two
    assert one["residual_volume"]["uncertainty"]["method"] == "calibrated"
    assert quantify(files, tmp_path / "three", *chosen, "--seed", 1) == 0
    assert result_of(tmp_path / "three")["measurements"]["residual_volume"] != one["residual_volume"]


def test_inside_quiet_no_stage_is_shown_and_a_cancellation_is_heard(capsys):
    progress.configure("json")
    with progress.quiet(), progress.stage("inner", 2) as advance:
        advance()
    with progress.stage("outer", 1) as advance:
        advance()
    said = capsys.readouterr().err
    assert "inner" not in said
    assert "outer" in said
    progress.cancel()
    with pytest.raises(KeyboardInterrupt), progress.quiet(), progress.stage("inner", 1) as advance:
        advance()
