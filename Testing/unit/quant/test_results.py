import csv
import json

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.results import COLUMNS, read, strict, write_results

RESULT = {
    "measurements": {
        "degradation_rate": {"value": np.float32(0.5), "unit": "mm/a", "interval": (0.4, 0.6)},
        "bone_implant_contact": {"value": float("nan"), "unit": "%", "interval": None},
    },
    "truth": {"degradation_rate": {"value": 0.4, "unit": "mm/a", "interval": None}},
    "relative_error_percent": {"degradation_rate": 25.0, "bone_implant_contact": None},
}


def test_json_is_strict_and_holds_everything(tmp_path):
    write_results(tmp_path, RESULT | {"extra": {"path": tmp_path, "matrix": np.eye(2), "infinite": np.inf}})

    def refuse(text):
        raise AssertionError(text)

    read = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert read["measurements"]["degradation_rate"] == {"value": 0.5, "unit": "mm/a", "interval": [0.4, 0.6]}
    assert read["measurements"]["bone_implant_contact"]["value"] is None
    assert read["extra"] == {"path": str(tmp_path), "matrix": [[1, 0], [0, 1]], "infinite": None}


def test_csv_has_a_row_for_each_measurement(tmp_path):
    rate = RESULT["measurements"]["degradation_rate"] | {"uncertainty": {"bound_half_voxel": (0.3, 0.7)}}
    write_results(tmp_path, RESULT | {"measurements": RESULT["measurements"] | {"degradation_rate": rate}})
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert tuple(first) == COLUMNS
    assert list(first.values()) == ["degradation_rate", "0.5", "mm/a", "0.4", "0.6", "0.4", "25.0", "0.3", "0.7"]
    assert list(second.values()) == ["bone_implant_contact", "", "%", "", "", "", "", "", ""]


def test_folders_are_made_and_nothing_partial_stays(tmp_path):
    write_results(tmp_path / "a" / "b", RESULT)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["results.csv", "results.json"]


def test_a_file_in_the_way_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_results(tmp_path / "file", RESULT)


def test_strict_leaves_no_number_that_json_cannot_hold():
    assert strict({"a": [np.nan, -np.inf, np.int64(3), True, None, "text"]}) == {
        "a": [None, None, 3, True, None, "text"]
    }


def test_results_are_read_from_the_folder_or_the_file(tmp_path):
    write_results(tmp_path, {"measurements": {"a": {"value": None, "unit": "%"}}, "job": {"weeks": 4.0}})
    assert read(tmp_path) == read(tmp_path / "results.json")
    assert read(tmp_path)["schema"] == "urn:implantseg:results:1"
    assert read(tmp_path)["job"]["weeks"] == 4.0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"measurements": 3}', '{"measurements": {"a": 3}}', "\xff"])
def test_other_files_are_no_results(tmp_path, text):
    (tmp_path / "results.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="does not hold the results of a sample"):
        read(tmp_path)


def test_missing_results(tmp_path):
    with pytest.raises(InputError, match="there are no results"):
        read(tmp_path)
