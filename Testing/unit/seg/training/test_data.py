from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.training import data
from ImplantSegLib.training.config import Data, Pair
from ImplantSegLib.volumes import Volume, read, write
from ImplantSegLib.volumes.voxels import how

SPACING = (0.01, 0.01, 0.01)
SETTINGS = Data(cohort="none", low_percent=0.0, high_percent=100.0)


@pytest.fixture
def pair(tmp_path):
    """Write a scan, a ramp along x from 100 to 200, and its labels; metadata and labels can be chosen."""

    def write_pair(labels=None, suffix=".nrrd", name="a", **metadata):
        grey = np.broadcast_to(np.linspace(100, 200, 21), (5, 21, 21)).astype(np.float32)
        labels = np.ones((5, 21, 21), np.uint8) if labels is None else labels
        made = Pair(str(tmp_path / f"{name}{suffix}"), str(tmp_path / f"{name}-labels.nrrd"))
        write(Volume(grey, SPACING, metadata=metadata), made.image)
        write(Volume(labels, SPACING), made.labels)
        return made

    return write_pair


def test_a_scan_is_scaled_to_0_and_1(pair):
    scan = data.open_scan("a", pair(), SETTINGS)
    image, labels = scan.cut(0, 2, slice(None), slice(None))
    np.testing.assert_allclose(image, np.broadcast_to(np.linspace(0, 1, 21), (21, 21)), atol=1e-3)
    assert image.dtype == np.float32
    assert labels.dtype == np.uint8
    assert (labels == 1).all()
    assert scan.spacing_mm == SPACING


def test_a_scan_that_was_preprocessed_is_not_scaled_again(pair):
    scan = data.open_scan("a", pair(normalised="3.0,400.0"), SETTINGS)
    assert (scan.low, scan.high) == (0, 1)


def test_outside_of_a_circular_field_of_view_nothing_is_labelled(pair):
    scan = data.open_scan("a", pair(fov="circle:10,8,6"), SETTINGS)
    y, x = np.indices((21, 21))
    inside = (y - 10) ** 2 + (x - 8) ** 2 <= 36
    for z in (0, 4):
        labels = scan.cut(0, z, slice(None), slice(None))[1]
        np.testing.assert_array_equal(labels, np.where(inside, 1, 255))
    np.testing.assert_array_equal(
        scan.cut(1, 12, slice(1, 3), slice(2, 20))[1], np.where(inside, 1, 255)[[12, 12], 2:20]
    )
    np.testing.assert_array_equal(
        scan.cut(2, 3, slice(1, 3), slice(2, 20))[1], np.where(inside, 1, 255)[2:20, [3, 3]].T
    )


def test_the_field_of_view_decides_the_grey_range(pair):
    scan = data.open_scan("a", pair(fov="circle:10,8,6"), SETTINGS)
    assert (scan.low, scan.high) == pytest.approx((110, 170), abs=0.1)


def test_a_mask_as_field_of_view(pair, tmp_path):
    mask = np.zeros((5, 21, 21), np.uint8)
    mask[2, 3:9] = 1
    write(Volume(mask, SPACING), tmp_path / "mask.nrrd")
    scan = data.open_scan("a", pair(fov=str(tmp_path / "mask.nrrd")), SETTINGS)
    for z in (2, 3):
        np.testing.assert_array_equal(scan.cut(0, z, slice(None), slice(None))[1], np.where(mask[z], 1, 255))


@pytest.mark.parametrize(("suffix", "kept"), [(".nrrd", "memory-mapped"), (".ome.zarr", "in memory")])
def test_memory_maps_stay_maps_and_other_formats_come_into_memory(pair, suffix, kept):
    scan = data.open_scan("a", pair(suffix=suffix), SETTINGS)
    assert how(scan.image) == kept
    assert scan.cut(2, 20, slice(0, 5), slice(0, 21))[0].min() > 0.99


def test_labels_outside_the_table_are_refused(pair):
    labels = np.full((5, 21, 21), 255, np.uint8)
    labels[4, 20, 20] = 7
    with pytest.raises(InputError, match=r"has the label 7, wanted 0, 1, 2, 3 or 255; renumber its segments"):
        data.open_scan("a", pair(labels), SETTINGS)


def test_labels_of_another_shape_are_refused(pair):
    with pytest.raises(InputError, match=r"its labels have shape \(5, 21, 20\), the scan has \(5, 21, 21\); pass the"):
        data.open_scan("a", pair(np.ones((5, 21, 20), np.uint8)), SETTINGS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spacing_mm": (0.01, 0.01, 0.02)}, "its labels lie elsewhere: .* voxel 10 × 10 × 20 µm"),
        ({"origin_mm": (0.5, 0.0, 0.0)}, r"its labels lie elsewhere: .* origin \(0.5, 0, 0\) mm"),
        (
            {"direction": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))},
            "its labels lie elsewhere and are turned",
        ),
    ],
)
def test_labels_on_another_grid_are_refused(pair, changes, words):
    made = pair()
    write(replace(read(made.labels), **changes), made.labels)
    with pytest.raises(InputError, match=words):
        data.open_scan("a", made, SETTINGS)


def test_rounding_of_the_grid_is_no_other_grid(pair):
    made = pair()
    write(replace(read(made.labels), origin_mm=(1e-6, 0.0, 0.0)), made.labels)  # of voxels of 0.01 mm
    assert data.open_scan("a", made, SETTINGS).shape == (5, 21, 21)


@pytest.mark.parametrize("role", ["image", "labels"])
def test_a_missing_file_is_named(pair, role):
    made = pair()
    Path(getattr(made, role)).unlink()
    with pytest.raises(InputError, match=rf"the {role} of the scan a, .*, does not exist; correct the data"):
        data.open_scan("a", made, SETTINGS)


@pytest.mark.parametrize("metadata", [{}, {"normalised": "0.0,1.0"}])
@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "a.nrrd cannot train: 441 voxels of the scan are NaN"), (3.0, "a.nrrd .*the grey value 3")],
)
def test_a_scan_without_contrast_or_with_nan_is_refused(pair, metadata, value, words):
    made = pair()
    grey = np.full((5, 21, 21), 3.0, np.float32)
    grey[2] = value
    write(Volume(grey, SPACING, metadata=metadata), made.image)
    with pytest.raises(InputError, match=words):
        data.open_scan("a", made, SETTINGS)


def test_a_cohort_is_a_folder_of_scan_folders(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.nrrd").touch()
    more = Pair("elsewhere/c.ome.zarr", "labels.nrrd"), Pair("there/c.nrrd", "labels.nrrd", name="d")
    pairs = data.find_pairs(Data(cohort=str(tmp_path), pairs=list(more)))
    assert list(pairs) == ["a", "b", "c", "d"]
    assert pairs["a"].labels == str(tmp_path / "a" / "labels.seg.nrrd")


def test_two_scans_of_one_name_and_one_under_two_are_refused():
    one, same_name = Pair("here/c.nrrd", "labels.nrrd"), Pair("there/c.nrrd", "labels.nrrd")
    with pytest.raises(InputError, match=r"two scans are named c: here.c.nrrd and there.c.nrrd; give one"):
        data.find_pairs(Data(pairs=[one, same_name]))
    with pytest.raises(InputError, match=r"here.c.nrrd is listed twice, as c and d; leave one of them out"):
        data.find_pairs(Data(pairs=[one, replace(one, name="d")]))


def test_a_cohort_without_scans_and_an_unknown_one_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no scans"):
        data.find_pairs(Data(cohort=str(tmp_path)))
    with pytest.raises(InputError, match=r"no folder nothing, and no phantom cohort .* choose one of: development"):
        data.find_pairs(Data(cohort="nothing", cache=str(tmp_path)))


def test_folds_share_out_whole_scans():
    names = list("abcdefg")
    parts = [data.split(names, Data(cohort="none", folds=3, fold=fold)) for fold in range(3)]
    assert [validation for _, validation in parts] == [["a", "d", "g"], ["b", "e"], ["c", "f"]]
    assert all(sorted(training + validation) == names for training, validation in parts)


def test_one_fold_trains_on_everything():
    assert data.split(["a", "b"], Data(cohort="none", folds=1)) == (["a", "b"], [])


def test_validation_can_be_named():
    names = ["p05-1", "p05-2", "p07-1"]
    assert data.split(names, Data(cohort="none", validation=["p07*"])) == (["p05-1", "p05-2"], ["p07-1"])
    with pytest.raises(InputError, match=r"no scan is named q\*; data.validation chooses among: p05-1, p05-2, p07-1"):
        data.split(names, Data(cohort="none", validation=["q*"]))
    with pytest.raises(InputError, match="all 3 scans validate"):
        data.split(names, Data(cohort="none", validation=["*"]))


@pytest.mark.parametrize(
    ("system", "variable"),
    [("Linux", "XDG_CACHE_HOME"), ("Windows", "LOCALAPPDATA"), ("Linux", "IMPLANTSEG_CACHE_DIR")],
)
def test_the_cache_folder(monkeypatch, tmp_path, system, variable):
    monkeypatch.delenv("IMPLANTSEG_CACHE_DIR", raising=False)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert data.cache_folder() == (tmp_path if variable == "IMPLANTSEG_CACHE_DIR" else tmp_path / "implantseg")
    assert data.cache_folder(str(tmp_path / "chosen")) == tmp_path / "chosen"


def test_slices_with_labels_are_known_along_every_axis(pair):
    labels = np.full((70, 21, 21), 255, np.uint8)
    labels[3, 5:8, 2] = 1
    labels[68, 20, 0] = 0
    scan = data.Scan("a", labels, labels)
    assert [axis.tolist() for axis in scan.known] == [[3, 68], [5, 6, 7, 20], [0, 2]]


def test_labels_that_tell_nothing_are_refused(pair):
    with pytest.raises(InputError, match="has the label 255 everywhere"):
        data.open_scan("a", pair(np.full((5, 21, 21), 255, np.uint8)), SETTINGS)


def test_paths_are_those_beside_the_recipe_first(tmp_path, monkeypatch):
    for folder in ("here", "beside"):
        (tmp_path / folder / "scans" / f"in-{folder}").mkdir(parents=True)
        (tmp_path / folder / "scans" / f"in-{folder}" / "image.nrrd").touch()
        (tmp_path / folder / f"{folder}.nrrd").touch()
    monkeypatch.chdir(tmp_path / "here")
    settings = Data(cohort="scans", pairs=[Pair("beside.nrrd", "here.nrrd")])
    found = data.find_pairs(settings, tmp_path / "beside")
    assert list(found) == ["in-beside", "beside"]
    assert found["beside"].image == str(tmp_path / "beside" / "beside.nrrd")
    assert found["beside"].labels == "here.nrrd"
    assert list(data.find_pairs(settings)) == ["in-here", "beside"]
