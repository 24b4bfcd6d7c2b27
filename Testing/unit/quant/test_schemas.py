"""The published schemas hold for what the verbs write, and refuse what they should."""

import copy
import json

import jsonschema
import numpy as np
import pytest

from ImplantSegLib import cli
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib.definitions import DEFINITIONS
from ImplantSegQuantLib.pose import Pose, save_pose
from ImplantSegQuantLib.schemas import EVALUATE, REGISTER, RESULTS, schema

MM = 0.05
SHAPE = (12, 60, 60)


def validator(uri):
    jsonschema.Draft202012Validator.check_schema(schema(uri))
    return jsonschema.Draft202012Validator(schema(uri))


def radius_mm():
    y, x = ((np.arange(n) - 29.4) * MM for n in SHAPE[1:])
    return np.broadcast_to(np.hypot(y[:, None], x), SHAPE)


def pin(metal_mm=0.5, layer_mm=0.7, bone=3):
    tissue = np.where(np.arange(SHAPE[2]) > 29, bone, 0)
    return np.where(radius_mm() < metal_mm, 1, np.where(radius_mm() < layer_mm, 2, tissue)).astype(np.uint8)


def run(*argv):
    assert cli.main([str(part) for part in argv]) == 0


def quantified(tmp_path, labels, *more):
    write(Volume(labels, (MM,) * 3), tmp_path / "labels.nrrd")
    write(Volume((radius_mm() < 0.6).astype(np.uint8), (MM,) * 3), tmp_path / "reference.nrrd")
    save_pose(Pose(np.eye(4)), tmp_path / "pose.tfm")
    given = ("--reference", tmp_path / "reference.nrrd", "--pose", tmp_path / "pose.tfm", "--weeks", 12)
    out = ("-o", tmp_path / "out", "--no-surfaces", "--progress", "none")
    run("quantify", tmp_path / "labels.nrrd", *given, *out, *more)
    return json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_results_without_a_truth(tmp_path):
    found = quantified(tmp_path, pin())
    assert found["schema"] == RESULTS
    validator(RESULTS).validate(found)
    assert set(found) <= set(schema(RESULTS)["properties"])


@pytest.mark.slow
def test_results_with_a_truth_where_much_is_undefined(tmp_path):
    """No metal, no bone: complete degradation, classes absent, errors undefined."""
    write(Volume(pin(0, 0.7, bone=0), (MM,) * 3), tmp_path / "truth.nrrd")
    found = quantified(tmp_path, pin(0, 0.8, bone=0), "--truth", tmp_path / "truth.nrrd")
    validator(RESULTS).validate(found)
    assert set(found) <= set(schema(RESULTS)["properties"])
    assert found["measurements"]["corrosion_depth"]["value"] is None
    assert found["iou_percent"]["bone"] is None


@pytest.fixture(scope="module")
def example():
    number = {"value": 1.0, "unit": "%", "interval": None, "note": ""}
    return {
        "schema": RESULTS,
        "measurements": dict.fromkeys(DEFINITIONS, number),
        "profiles": {"bone_implant_contact_by_gap": None, "degradation_layer_thickness": None},
        "warnings": [],
        "definitions": {"degradation_rate": "", "days_per_week": 7, "days_per_year": 365.25, "roi_mm": 1.0},
        "registration": {"pose": "given"},
        "job": {},
        "provenance": {
            "date": "2026-01-01T00:00:00+00:00", "implantseg": "0.1.0", "python": "3.11", "platform": "Linux",
            "packages": {}, "inputs": {},
        },
    }  # fmt: skip


def test_an_interval_with_its_uncertainty(example):
    good = copy.deepcopy(example)
    good["measurements"]["degradation_rate"] = {
        "value": 0.4, "unit": "mm/a", "interval": [0.3, 0.5], "note": "",
        "uncertainty": {
            "bound_half_voxel": [0.1, 0.7], "method": "calibrated", "scale": "half_voxel", "scale_unit": 0.3,
            "sd_labels": 0.02, "sd_registration": 0.01, "sd_model": None, "dominated_by": "labels",
        },
    }  # fmt: skip
    validator(RESULTS).validate(good)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "urn:implantseg:results:2"),
        (("measurements", "degradation_rate", "value"), "0.4"),
        (("measurements", "degradation_rate", "unit"), "m/s"),
        (("measurements", "degradation_rate", "interval"), [0.1]),
        (("profiles", "degradation_by_region"), {"tail": {}}),
        (("registration", "pose"), "guessed"),
        (("provenance", "inputs"), {"truth": {"path": "a", "sha256": "1"}}),
        (("provenance", "date"), "yesterday"),
        (("truth",), {}),
        (("definitions", "days_per_year"), 365),
    ],
)
def test_what_is_wrong_is_refused(example, path, value):
    wrong = copy.deepcopy(example)
    validator(RESULTS).validate(wrong)
    target = wrong
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validator(RESULTS).validate(wrong)


def test_every_measurement_that_is_defined_is_in_the_schema():
    required = schema(RESULTS)["$defs"]["measurements"]["required"]
    assert set(required) <= set(DEFINITIONS)


def test_scores_of_evaluate(tmp_path, capsys):
    for name, layer_mm in (("one", 0.7), ("other", 0.8)):
        write(Volume(pin(layer_mm=layer_mm), (MM,) * 3), tmp_path / f"{name}.nrrd")
    run("evaluate", tmp_path / "one.nrrd", tmp_path / "other.nrrd", "-o", tmp_path / "s.json", "--progress", "none")
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert found["schema"] == EVALUATE
    validator(EVALUATE).validate(found)
    assert set(found) == set(schema(EVALUATE)["properties"])
    assert schema(EVALUATE)["$defs"].items() <= schema(RESULTS)["$defs"].items()


def test_figures_of_register():
    validator(REGISTER).validate(
        {"schema": REGISTER, "pose": "p.tfm", "start": None, "searched": True, "surface": None, "quality": {"a": 1.0}}
    )
