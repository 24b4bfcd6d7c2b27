"""Files that a study of results that were made up leaves, and what is in them."""

import csv
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from study_cohort import TRAINING, UNITS, result, write_cohort

from ImplantSegLib import cli
from ImplantSegQuantLib.results import write_results

WHOLE = {
    "agreement.csv", "cohort.json", "figure2.csv", "figures", "measurements.csv", "report.html", "statistics.csv",
    "study.json", "table4.csv", "table4.html", "table5.csv", "tests.csv",
}  # fmt: skip


def study(cohort, out, *more):
    return cli.main(["study", str(cohort), "-o", str(out), "--progress", "none", *map(str, more)])


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def page(out):
    return (out / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study of 18 samples with everything in it."""
    folder = tmp_path_factory.mktemp("whole")
    cohort = write_cohort(folder)
    cohort.write_text(cohort.read_text(encoding="utf-8") + TRAINING, encoding="utf-8")
    assert study(cohort, folder / "out") == 0
    return folder / "out"


def test_every_file_is_there(whole):
    assert {path.name for path in whole.iterdir()} == WHOLE
    figures = {path.name for path in (whole / "figures").iterdir()}
    stems = ("figure2", "figure4", "groups-unet", "groups-nnunet2d", "groups-ground_truth", "agreement-unet",
             "agreement-nnunet2d")  # fmt: skip
    assert figures == {f"{stem}{suffix}" for stem in stems for suffix in (".png", ".svg")}


def test_figures_are_print_size(whole):
    from PIL import Image

    for path in (whole / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert round(picture.info["dpi"][0]) == 300
            assert picture.width <= 180 / 25.4 * 300 + 10  # two columns of a journal
    for path in (whole / "figures").glob("*.svg"):
        ET.parse(path)


def test_measurements_are_tidy(whole):
    rows = table(whole / "measurements.csv")
    keys = [(row["sample"], row["model"], row["measurement"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert len(rows) == 18 * (2 * (len(UNITS) + 5) + len(UNITS))
    row = rows[keys.index(("diaphysis-6w-1", "unet", "bone_implant_contact"))]
    true = rows[keys.index(("diaphysis-6w-1", "ground truth", "bone_implant_contact"))]
    assert (row["weeks"], row["site"], row["unit"]) == ("6", "diaphysis", "%")
    assert row["truth"] == true["value"]
    error = 100 * (float(row["value"]) / float(row["truth"]) - 1)
    assert float(row["relative_error_percent"]) == pytest.approx(error)


def test_statistics_are_those_of_the_measurements(whole):
    rows = table(whole / "measurements.csv")
    for line in table(whole / "statistics.csv"):
        values = [
            float(row["value"])
            for row in rows
            if (row["model"], row["measurement"]) == (line["model"], line["measurement"])
            and (line["site"] in ("all", row["site"]))
            and row["weeks"] == line["weeks"]
        ]
        assert int(line["n"]) == len(values) == (6 if line["site"] == "all" else 3)
        assert float(line["mean"]) == pytest.approx(np.mean(values))
        assert float(line["sd"]) == pytest.approx(np.std(values, ddof=1))
        assert float(line["mean_ci_low"]) < float(line["mean"]) < float(line["mean_ci_high"])


def test_tests_speak_only_where_n_lets_them(whole):
    rows = table(whole / "tests.csv")
    assert {row["test"] for row in rows} == {"Kruskal-Wallis", "Spearman", "Mann-Whitney"}
    for row in rows:
        if row["test"] == "Mann-Whitney" and row["n"] == "3 / 3":
            assert "no power" in row["verdict"]
        if row["test"] == "Mann-Whitney" and row["n"] == "6 / 6":
            assert "no power" not in row["verdict"]


def test_the_report_needs_no_other_file_and_tells_everything(whole):
    html = page(whole)
    outside = [link for link in re.findall(r'(?:src|href)="([^"]+)"', html) if not link.startswith(("#", "data:"))]
    assert all(link.startswith(("https://doi.org/", "https://www.jstor.org/")) for link in outside)
    for anchor in re.findall(r'href="#([a-z]+)"', html):
        assert f'id="{anchor}"' in html
    for words in ("Table 4.", "Table 5.", "Figure 2.", "Figure 4.", "2D nnU-Net", "Kruskal–Wallis", "no power",
                  "<b>", "mean ± standard deviation over the samples", "sha256", "DR / mm/a"):  # fmt: skip
        assert words in html
    assert html.count("data:image/svg+xml;base64,") == 7
    assert "(undefined)" not in html
    assert "None" not in re.sub(r"base64,[^\"]+", "", html)


def test_json_holds_the_tables(whole):
    found = json.loads((whole / "study.json").read_text(encoding="utf-8"))
    assert found["study"] == "test cohort"
    assert found["primary"] == "nnunet2d"
    assert len(found["measurements"]) == len(table(whole / "measurements.csv"))
    assert {task["status"] for task in found["tasks"]} == {"done"}
    assert found["provenance"]["inputs"]["cohort"]["sha256"]


def test_few_samples_have_the_papers_table_4(tmp_path):
    cohort = write_cohort(tmp_path, times=(6,), repeats=1)
    assert study(cohort, tmp_path / "out") == 0
    head = (tmp_path / "out" / "table4.html").read_text(encoding="utf-8").split("<tbody>")[0]
    assert head.count('colspan="2"') == 5
    assert head.count("diaphysis-6w-1") == 5


def test_same_input_same_bytes(tmp_path):
    cohort = write_cohort(tmp_path, times=(6, 12), repeats=2)
    for out in ("one", "two"):
        assert study(cohort, tmp_path / out) == 0
    for path in [*(tmp_path / "one").glob("*.csv"), *(tmp_path / "one" / "figures").iterdir()]:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_one_sample_without_a_truth(tmp_path):
    cohort = write_cohort(tmp_path, sites=("tibia",), times=(6,), repeats=1, truth=False)
    assert study(cohort, tmp_path / "out") == 0
    html = page(tmp_path / "out")
    assert "Table 5." in html
    assert "Table 4." not in html
    assert "Ground truth</th>" not in html
    assert (tmp_path / "out" / "table4.html").read_text() == ""
    assert table(tmp_path / "out" / "tests.csv") == []
    assert [row["n"] for row in table(tmp_path / "out" / "statistics.csv")] == ["1"] * 12
    assert not (tmp_path / "out" / "figures" / "figure4.png").exists()


def write_pair(folder, first, second, more=""):
    """Two samples of one model, with the results given."""
    lines = ['name = "pair"']
    for name, found in (("one", first), ("two", second)):
        write_results(folder / name, found)
        lines += ["[[samples]]", f'name = "{name}"', f'results = {{ unet = "{name}" }}']
    (folder / "cohort.toml").write_text("\n".join([*lines[:1], more, *lines[1:]]) + "\n", encoding="utf-8")
    return folder / "cohort.toml"


def test_undefined_values_and_missing_truth_and_weeks(tmp_path):
    first = result(6, {"degradation_rate": 0.5, "bone_implant_contact": None}, {"degradation_rate": 0.4})
    second = result(None, {"degradation_rate": 0.3, "bone_implant_contact": 3.0})
    assert study(write_pair(tmp_path, first, second), tmp_path / "out") == 0
    html = page(tmp_path / "out")
    assert "no healing time is known of two" in html
    assert "there is no ground truth for two" in html
    assert "0.50 (+25 %)" in html
    assert "undefined" in html
    assert {row["weeks"] for row in table(tmp_path / "out" / "statistics.csv")} == {"6"}


def test_samples_of_one_subject_are_called_dependent(tmp_path):
    found = result(6, {"degradation_rate": 0.5})
    cohort = write_pair(tmp_path, found, found)
    text = cohort.read_text().replace('name = "one"', 'name = "one"\nsubject = "sheep 1"')
    cohort.write_text(text.replace('name = "two"', 'name = "two"\nsubject = "sheep 1"'))
    assert study(cohort, tmp_path / "out") == 0
    assert "2 samples come from 1 subjects" in page(tmp_path / "out")


def test_other_units_and_other_times_are_refused(tmp_path, capsys):
    first, second = result(6, {"corrosion_depth": 20.0}), result(6, {"corrosion_depth": 0.02})
    second["measurements"]["corrosion_depth"]["unit"] = "mm"
    assert study(write_pair(tmp_path, first, second), tmp_path / "out") == 2
    assert "corrosion_depth is in mm and in µm, wanted one unit" in capsys.readouterr().err
    cohort = write_pair(tmp_path, first, first, "weeks = 12")
    assert study(cohort, tmp_path / "other") == 2
    assert "healed for 12 weeks, but the results of unet were made with 6" in capsys.readouterr().err


def test_a_damaged_result_does_not_stop_the_others(tmp_path, capsys):
    cohort = write_cohort(tmp_path, times=(6, 12), repeats=1)
    (tmp_path / "diaphysis-6w-1" / "unet" / "results.json").write_text("{")
    assert study(cohort, tmp_path / "out") == 2
    assert "1 of 8 failed, the first: diaphysis-6w-1 · unet: " in capsys.readouterr().err
    html = page(tmp_path / "out")
    assert "does not hold the results of a sample" in html
    assert "U-Net was not measured for diaphysis-6w-1" in html


def test_a_warning_of_several_samples_is_told_once_with_their_links(tmp_path):
    found = result(6, {"degradation_rate": 0.5}) | {"warnings": ["there is little bone"]}
    cohort = write_pair(tmp_path, found, found)
    (tmp_path / "one" / "report.html").write_text("<html></html>")
    assert study(cohort, tmp_path / "out") == 0
    html = page(tmp_path / "out")
    assert html.count("there is little bone") == 1
    assert "one (unet), two (unet): there is little bone" in html
    assert re.findall(r'href="([^"]*report.html)"', html) == ["../one/report.html"]


def test_everything_can_fail(tmp_path, capsys):
    cohort = write_pair(tmp_path, result(6, {}), result(6, {}))
    for name in ("one", "two"):
        (tmp_path / name / "results.json").write_text("[]")
    assert study(cohort, tmp_path / "out") == 2
    assert "2 of 2 failed" in capsys.readouterr().err
    assert "does not hold the results" in page(tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    cohort = write_cohort(tmp_path / "in", times=(6,), repeats=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").touch()
    assert study(cohort, tmp_path / "out") == 2
    assert "holds files, but no study" in capsys.readouterr().err
    assert study(cohort, tmp_path / "mine") == 0
    cohort.write_text(cohort.read_text().replace("test cohort", "another one"))
    assert study(cohort, tmp_path / "mine") == 2
    assert "holds the study 'test cohort', not 'another one'" in capsys.readouterr().err
