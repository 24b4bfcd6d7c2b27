"""Tables 4 and 5 with the paper's own numbers."""

import pytest
from study_cohort import overlap, result

from ImplantSegQuantLib.study.cohort import TRUTH, Cohort, StudySample
from ImplantSegQuantLib.study.measurements import measured, rows, table
from ImplantSegQuantLib.study.paper import table4, table4_rows, table5, table5_rows

NAMES = ("degradation_rate", "bone_implant_contact", "bone_volume_fraction")
TRUE = {"1": (0.58, 5.25, 22.48), "2": (0.36, 7.48, 56.83)}
FOUND = {
    "unet": {"1": (0.582, 7.36, 21.81), "2": (0.361, 19.65, 56.5)},
    "nnunet2d": {"1": (0.581, 7.76, 22.44), "2": (0.36, 18.44, 57.08)},
}
IOU = {
    "unet": {"1": (95.40, 98.84, 84.66, 98.11), "2": (97.79, 99.40, 61.17, 96.26)},
    "nnunet2d": {"1": (94.47, 98.94, 86.59, 97.73), "2": (98.28, 99.48, 71.18, 97.09)},
}
TITLES = {"unet": "U-Net", "nnunet2d": "2D nnU-Net"}


@pytest.fixture(scope="module")
def numbers():
    samples = [StudySample(f"Sample {key}", weeks=6, results={"unet": "x"}) for key in TRUE]
    cohort = Cohort(samples)
    found = []
    for key, sample in zip(TRUE, samples, strict=True):
        true = dict(zip(NAMES, TRUE[key], strict=True))
        results = {
            model: overlap(result(6, dict(zip(NAMES, FOUND[model][key], strict=True)), true), list(IOU[model][key]))
            for model in FOUND
        }
        found.append(measured(cohort, sample, results))
    return rows(found)


def test_table_4_as_in_the_paper(numbers):
    cells = table4(numbers, list(TITLES))
    lines = table4_rows(cells, TITLES)
    assert [line["model"] for line in lines] == ["U-Net", "2D nnU-Net"]
    assert list(lines[0])[1:5] == [
        "Background | Sample 1", "Background | Sample 2", "Residual material | Sample 1", "Residual material | Sample 2"
    ]  # fmt: skip
    assert (lines[0]["mIoU | Sample 1"], lines[1]["mIoU | Sample 1"]) == ("94.25", "94.43")
    best = {key for key, cell in cells.items() if cell.best}
    assert ("iou_background", "Sample 1", "unet") in best
    assert ("iou_background", "Sample 2", "nnunet2d") in best
    assert ("iou_degradation_layer", "Sample 1", "nnunet2d") in best
    assert len(best) == 10


def test_equal_values_are_both_the_best_and_a_single_one_is_none():
    sample = StudySample("s", weeks=6, results={"a": "x"})
    both = overlap(result(6, {}), [90.0, None, 80.0, 70.0])
    cells = table4(rows([measured(Cohort([sample]), sample, {"a": both, "b": both})]), ["a", "b"])
    assert cells["iou_background", "s", "a"].best
    assert cells["iou_background", "s", "b"].best
    assert cells["iou_residual_material", "s", "a"].text == "absent"
    assert not cells["iou_residual_material", "s", "a"].best
    alone = table4(rows([measured(Cohort([sample]), sample, {"a": both})]), ["a"])
    assert not any(cell.best for cell in alone.values())


def test_table_5_as_in_the_paper(numbers):
    lines = table5_rows(table5(numbers, list(TITLES)), TITLES)
    assert [(line["parameter"], line["sample"]) for line in lines] == [
        (parameter, sample)
        for parameter in ("DR / mm/a", "BIC / %", "BV/TV / %")
        for sample in ("Sample 1", "Sample 2")
    ]
    assert lines[0] == {
        "parameter": "DR / mm/a", "sample": "Sample 1", TRUTH: "0.58", "U-Net": "0.58 (–)", "2D nnU-Net": "0.58 (–)"
    }  # fmt: skip
    assert (lines[2][TRUTH], lines[2]["U-Net"], lines[2]["2D nnU-Net"]) == ("5.25", "7.36 (+40 %)", "7.76 (+48 %)")
    assert lines[3]["U-Net"] == "19.65 (+163 %)"
    assert lines[4]["U-Net"] == "21.81 (−3 %)"


def test_what_is_missing_stays_empty_and_what_is_undefined_says_so():
    one, two = StudySample("one", results={"a": "x"}), StudySample("two", results={"a": "x"})
    cohort = Cohort([one, two])
    known = result(6, {"bone_implant_contact": None, "degradation_rate": 0.052}, {"bone_implant_contact": 0.0})
    known["measurements"]["degradation_rate"]["interval"] = [0.048, 0.055]
    found = rows(
        [measured(cohort, one, {"a": known}), measured(cohort, two, {"b": result(6, {"degradation_rate": 1.0})})]
    )
    lines = {(line.parameter, line.sample): line for line in table5(found, ["a", "b"])}
    assert lines["DR", "one"].cells == {"a": "0.052 [0.048, 0.055]"}
    assert lines["DR", "one"].truth == ""
    assert lines["BIC", "one"].cells == {"a": "undefined (undefined)"}
    assert lines["BIC", "one"].truth == "0.00"
    assert lines["DR", "two"].cells == {"b": "1.00"}
    assert table5_rows(lines.values(), {"a": "A", "b": "B"})[0]["B"] == ""


def test_the_truth_is_a_series_of_its_own_told_once(numbers):
    true = [row for row in numbers if row.model == TRUTH]
    assert [(row.sample, row.name, row.value) for row in true[:2]] == [
        ("Sample 1", "degradation_rate", 0.58),
        ("Sample 1", "bone_implant_contact", 5.25),
    ]
    assert len(true) == 6
    line = next(line for line in table(numbers) if line["model"] == "unet" and line["sample"] == "Sample 2")
    assert (line["measurement"], line["value"], line["truth"], line["unit"]) == (
        "degradation_rate",
        0.361,
        0.36,
        "mm/a",
    )
    assert line["relative_error_percent"] == pytest.approx(100 * 0.001 / 0.36)
