import pytest

from ImplantSegQuantLib import tables
from ImplantSegQuantLib.definitions import DEFINITIONS, GROUPS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (0.0, "0"),
        (0.5, "0.5000"),
        (33.8123, "33.81"),
        (-5.84, "−5.840"),
        (123456.0, "123456"),
        (0.00012345, "1.234e−04"),
        (2.5e7, "2.500e+07"),
        (0.0123, "0.0123"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert tables.figure(value) == text


def test_relative_errors_are_signed():
    shown = [tables.percent_error(value) for value in (1.234, -0.5, -0.004, None)]
    assert shown == ["+1.23", "−0.50", "0.00", "–"]


def test_measurements_stand_in_the_order_of_the_definitions_and_unknown_ones_last():
    measurement = {"value": 1.0, "unit": "mm^3", "interval": None}
    names = ["gap_um", "roi_volume", "volume_loss", "degradation_rate"]
    groups = tables.measurement_groups({"measurements": dict.fromkeys(names, measurement)})
    assert [group["title"] for group in groups] == [*GROUPS, "Other"]
    assert [[row["name"] for row in group["rows"]] for group in groups] == [
        ["degradation_rate", "volume_loss"],
        ["roi_volume"],
        ["gap_um"],
    ]
    assert groups[0]["rows"][0]["unit"] == "mm³"
    assert groups[2]["rows"][0]["title"] == "Gap (µm)"


def test_every_measurement_of_the_plan_is_defined():
    wanted = """initial_volume residual_volume degradation_layer_volume volume_loss volume_loss_fraction initial_surface
    initial_surface_unbiased initial_surface_voxels degradation_rate degradation_rate_unbiased bone_implant_contact
    bone_implant_contact_voxels bone_implant_contact_weighted bone_implant_contact_corrected bone_volume_fraction
    bone_implant_contact_without_pores roi_volume degradation_layer_thickness corrosion_depth"""
    assert set(wanted.split()) == set(DEFINITIONS)
    assert {definition.group for definition in DEFINITIONS.values()} == set(GROUPS)


def test_a_class_that_is_nowhere_has_no_bar():
    iou, dice = {"bone": 90.0, "degradation_layer": None}, {"bone": 94.5, "degradation_layer": None}
    headings, (absent, bone) = tables.scores({"iou_percent": iou, "dice_percent": dice})
    assert headings == ["IoU (%)", "Dice (%)"]
    assert (absent["values"], absent["width"]) == (["absent", "absent"], 0)
    assert (bone["values"], bone["width"]) == (["90.00", "94.50"], 90.0)
    assert tables.scores({}) == ([], [])


def test_registrations_of_segmentation_and_truth_stand_side_by_side():
    rows = tables.registration_rows(
        {"registration": {"pose": "given", "score": 0.0123456}, "truth_registration": {"score": 0.5, "new_um": 1.0}}
    )
    assert rows == [
        ("Pose of the reference", "given", ""),
        ("Two-way surface score (0 is best, 1 is worst)", "0.01235", "0.5"),
        ("New (µm)", "–", "1"),
    ]


def test_nested_mappings_are_flattened_to_text():
    nested = {"packages": {"numpy": "2.0"}, "ambiguous": True, "matrix": [[1.0, 0.5], [0.0, 1.0]], "none": None}
    assert dict(tables.flat(nested)) == {
        "packages.numpy": "2.0",
        "ambiguous": "yes",
        "matrix": "1, 0.5\n0, 1",
        "none": "–",
    }
