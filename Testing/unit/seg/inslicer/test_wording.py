"""Sentences of the command line, as panels show them."""

import pytest

from ImplantSegLib.inslicer.wording import sentence


@pytest.mark.parametrize(
    ("message", "remedy", "text"),
    [
        ("got 2D, wanted 3D", "pass a volume", "Got 2D, wanted 3D. Pass a volume."),
        ("got 2D", "", "Got 2D."),
        ("is it 2D?", "see.", "Is it 2D? See."),
        ("", "", ""),
        (
            "the voxels are small",
            "bin the scan first (implantseg preprocess SCAN BINNED --bin 2)",
            "The voxels are small. Bin the scan first.",
        ),
        ("too large", "pass a larger --max-memory", "Too large. Pass a larger memory limit."),
        (
            "a voxel is NaN",
            "replace it; where it lies outside the circle, pass --fov",
            "A voxel is NaN. Replace it.",
        ),
        (
            "these are labels",
            "pass the scan; if it is one, convert it with --dtype float32",
            "These are labels. Pass the scan.",
        ),
        (
            "wrong voxels",
            "choose another model, correct a wrong voxel size with --spacing-um, or pass --any-voxel-size",
            "Wrong voxels. Choose another model, correct a wrong voxel size.",
        ),
        ("too few grey values", "pass fewer --classes", "Too few grey values."),
        (
            "got --device cuda, but torch finds no GPU",
            "pass --device cpu",
            "A GPU is chosen, but torch finds no GPU. Choose the CPU.",
        ),
    ],
)
def test_options_get_the_names_of_the_forms_or_are_left_out(message, remedy, text):
    assert sentence(message, remedy) == text


def test_a_temporary_file_is_called_by_what_it_holds():
    temporary = "/tmp/Max Muster/Slicer"
    for file, name in (
        ("scan.nrrd", "scan"),
        ("truth.nrrd", "ground truth"),
        ("segmentation.seg.nrrd", "segmentation"),
    ):
        path = f"{temporary}/ImplantSegQuant-ab_12/{file}"
        assert sentence(f"{path} is damaged", "", temporary) == f"The {name} is damaged."
    assert sentence("/data/scan.nrrd is damaged", "", temporary) == "/data/scan.nrrd is damaged."
