import subprocess
import sys

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.groups import STATISTICS, group_table, summary


def result(weeks, rate, contact=None, error=None):
    entries = {
        "bone_implant_contact": {"value": contact, "unit": "%"},
        "degradation_rate": {"value": rate, "unit": "mm/a"},
    }
    errors = {"relative_error_percent": {"degradation_rate": error}} if error is not None else {}
    return {"measurements": entries, "job": {"weeks": weeks, "segmentation": "a.nrrd"}, **errors}


def row(table, weeks, name, kind="value"):
    (found,) = [entry for entry in table if (entry["weeks"], entry["name"], entry["kind"]) == (weeks, name, kind)]
    return found


def test_statistics_of_known_numbers():
    assert summary([2.0, None, 4.0, 9.0]) == {
        "n": 3, "mean": 5.0, "sd": pytest.approx(13**0.5), "median": 4.0, "min": 2.0, "max": 9.0
    }  # fmt: skip
    assert summary([7]) == {"n": 1, "mean": 7.0, "sd": None, "median": 7.0, "min": 7.0, "max": 7.0}
    assert summary([None]) == {"n": 0, "mean": None, "sd": None, "median": None, "min": None, "max": None}


def test_groups_rise_and_measures_keep_the_order_of_the_definitions():
    table = group_table([result(12.0, 0.3, 40), result(4.0, 0.1, 20), result(12.0, 0.5, 50)])
    assert [(entry["weeks"], entry["name"]) for entry in table] == [
        (weeks, name) for weeks in (4.0, 12.0) for name in ("degradation_rate", "bone_implant_contact")
    ]
    assert row(table, 12.0, "degradation_rate")["mean"] == pytest.approx(0.4)
    assert row(table, 12.0, "degradation_rate")["unit"] == "mm/a"
    assert row(table, 4.0, "bone_implant_contact") == {
        "weeks": 4.0, "name": "bone_implant_contact", "unit": "%", "kind": "value",
        "n": 1, "mean": 20.0, "sd": None, "median": 20.0, "min": 20.0, "max": 20.0,
    }  # fmt: skip
    assert tuple(table[0])[-6:] == STATISTICS


def test_relative_errors_where_a_truth_is():
    table = group_table([result(4.0, 0.1, error=-10), result(4.0, 0.2, error=20), result(8.0, 0.2)])
    assert row(table, 4.0, "degradation_rate", "relative_error")["mean"] == 5.0
    assert row(table, 4.0, "degradation_rate", "relative_error")["unit"] == "%"
    assert [entry["kind"] for entry in table if entry["weeks"] == 8.0] == ["value", "value"]


def test_undefined_numbers_do_not_count():
    table = group_table([result(4.0, None), result(4.0, 0.2)])
    assert row(table, 4.0, "degradation_rate")["n"] == 1
    assert row(table, 4.0, "bone_implant_contact")["n"] == 0


def test_no_samples_have_no_rows():
    assert group_table([]) == []


def test_another_entry_of_the_job_may_group():
    one, other = result(4.0, 0.1), result(4.0, 0.3)
    one["job"]["site"], other["job"]["site"] = "epiphysis", "diaphysis"
    assert [entry["site"] for entry in group_table([one, other], "site")][::2] == ["diaphysis", "epiphysis"]
    with pytest.raises(InputError, match=r"results of a\.nrrd do not tell 'site'"):
        group_table([result(4.0, 0.1)], "site")


def test_units_must_agree():
    other = result(4.0, 0.1)
    other["measurements"]["degradation_rate"]["unit"] = "µm/a"
    with pytest.raises(InputError, match="degradation_rate is in mm/a and in µm/a"):
        group_table([result(4.0, 0.1), other])


def test_nothing_heavy_is_imported():
    code = "import sys; import ImplantSegQuantLib.groups; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numba", "SimpleITK", "skimage", "zarr", "cattrs", "scipy", "vtk"} & set(loaded)
