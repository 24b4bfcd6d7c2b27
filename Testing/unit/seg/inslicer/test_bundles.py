import pytest

from ImplantSegLib.inslicer import bundles
from ImplantSegLib.inslicer.bundles import Entry, voxel_warning

TOLD = {
    "name": "my_unet",
    "network": "unet",
    "dimensions": "2D",
    "trained_on": "28 scans",
    "summary": "a model",
    "voxel_size_um": [10.0, 10.0, 10.0],
    "iou_percent": {"bone": 97.766, "degradation_layer": 84.61, "residual_material": None, "background": 98.0},
    "memory_bytes": 2**28,
    "problems": [],
    "deletable": True,
}
DAMAGED = TOLD | dict.fromkeys(("network", "dimensions", "voxel_size_um", "memory_bytes")) | {
    "trained_on": "", "summary": "", "iou_percent": {}, "problems": ["the header is damaged"],
}  # fmt: skip


def test_a_row_has_a_cell_for_every_header_and_numbers_that_sort():
    row = Entry.of(TOLD).row()
    assert len(row) == len(bundles.HEADERS)
    assert row == ["my_unet", "unet", "2D", 10.0, "", 84.6, 97.8, 0.25, "28 scans"]


def test_a_damaged_model_is_a_row_too():
    entry = Entry.of(DAMAGED)
    assert entry.row() == ["my_unet", "?", "", "", "", "", "", "", ""]
    assert entry.problems == ("the header is damaged",)
    assert entry.deletable


@pytest.mark.parametrize(
    ("scan_um", "sentence"),
    [
        ((10, 10, 10), ""),
        ((8.5, 8.5, 8.5), ""),  # training scales by 0.8 to 1.25
        ((11.9, 11.9, 11.9), ""),
        (
            (5, 5, 5),
            "0.50 times as large as the 10 µm that the model was trained at; bin it by 2 in the section Preprocessing.",
        ),
        (
            (2.76, 2.76, 2.76),
            "0.28 times as large as the 10 µm that the model was trained at; bin it by 4 in the section Preprocessing.",
        ),
        ((20, 20, 20), "20 µm) are 2.00 times as large as the 10 µm that the model was trained at."),
        ((41, 41, 41), "are 4.10 times as large as the 10 µm that the model was trained at; choose another model."),
        ((40, 5, 5), ""),  # as large on the whole
        ((40, 10, 10), "(40 × 10 × 10 µm) are 1.59 times"),
        (None, ""),
    ],
)
def test_voxels_that_the_model_does_not_know(scan_um, sentence):
    assert sentence in voxel_warning((10, 10, 10), scan_um)
    assert bool(sentence) == bool(voxel_warning((10, 10, 10), scan_um))


def test_voxels_are_refused_where_the_command_refuses_them():
    from ImplantSegLib.inference.inputs import REFUSED_FACTOR

    assert bundles.REFUSED_FACTOR == REFUSED_FACTOR
    assert bundles.is_usable(bundles.voxel_ratio((10, 10, 10), (39, 39, 39)))
    assert not bundles.is_usable(bundles.voxel_ratio((10, 10, 10), (41, 41, 41)))
    assert not bundles.is_usable(bundles.voxel_ratio((10, 10, 10), (2.4, 2.4, 2.4)))
    assert bundles.is_usable(bundles.voxel_ratio((10, 10, 10), None))


def test_a_model_of_mixed_voxels_takes_any():
    assert voxel_warning(None, (5, 5, 5)) == ""


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("mine", "mine"),
        ("my unet (2)", "my_unet_2_"),
        ("..hidden", "hidden"),
        ("+", "model"),
        ("bundled", "bundled_imported"),  # that name always means the bundled model
        ("own", "own"),  # may be replaced
    ],
)
def test_names_of_imported_models(stem, name):
    known = {"bundled": Entry("bundled"), "own": Entry("own", deletable=True)}
    assert bundles.new_name(stem, known) == name


def test_details_leave_out_what_the_file_does_not_tell_and_escape_what_it_does():
    text = bundles.details({
        "network": "unet", "options": {"width": 16}, "summary": "for <10 µm",
        "provenance": {"training": ["a", "b", "c", "d", "e"]}, "scores": {"iou_percent.bone": 97.7655},
        "licence": "",
    })  # fmt: skip
    assert "unet, width 16" in text
    assert "for &lt;10 µm" in text
    assert "a, b, c and 2 more" in text
    assert "bone 97.8 %" in text
    assert "Licence" not in text
    assert "Validated on" not in text


def test_what_is_too_long_for_a_line_of_the_panel_is_told_apart():
    told = {"path": "/models/a.safetensors", "weights_sha256": "0" * 64, "network": "unet"}
    assert "/models" not in bundles.details(told)
    assert bundles.origin(told) == f"File: /models/a.safetensors\nSHA-256 of the weights: {'0' * 64}"
    assert bundles.origin({}) == ""


def test_when_and_by_what_a_model_was_made():
    made = {"date": "2026-11-22T16:06:20+00:00", "implantseg": "0.1.0", "recipe_name": "compact_unet"}
    assert "2026-11-22, with ImplantSeg 0.1.0, recipe compact_unet" in bundles.details({"provenance": made})
