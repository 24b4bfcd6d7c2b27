from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import slicerio

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import COLOURS, TITLES
from ImplantSegLib.volumes import Volume, create, read, write


def slicer_file(path: Path, array: np.ndarray, names: dict[str, int], extra: str = "") -> Path:
    """Write a segmentation the way Slicer 5 does (uint8, raw)."""
    lines = ["NRRD0004", "type: unsigned char", "dimension: 3", "space: left-posterior-superior"]
    lines += [f"sizes: {' '.join(map(str, array.shape[::-1]))}", "space directions: (1,0,0) (0,1,0) (0,0,1)"]
    lines += ["kinds: domain domain domain", "encoding: raw", "space origin: (0,0,0)"]
    for number, (name, value) in enumerate(names.items()):
        prefix = f"Segment{number}_"
        lines += [f"{prefix}ID:=Segment_{number + 1}", f"{prefix}Name:={name}", f"{prefix}LabelValue:={value}"]
        lines += [f"{prefix}Color:=0.1 0.2 0.3", f"{prefix}Layer:=0", f"{prefix}Tags:=Segmentation.Status:inprogress|"]
    lines += ["Segmentation_MasterRepresentation:=Binary labelmap"]
    path.write_bytes(("\n".join(lines) + f"\n{extra}\n").encode() + array.tobytes())
    return path


def test_slicerio_reads_names_colours_values_and_terminology(labels: Volume, tmp_path: Path) -> None:
    write(labels, tmp_path / "a.seg.nrrd")
    found = slicerio.read_segmentation(str(tmp_path / "a.seg.nrrd"))
    assert found["masterRepresentation"] == "Binary labelmap"
    assert found["containedRepresentationNames"] == ["Binary labelmap"]
    assert found["encoding"] == "gzip"
    np.testing.assert_array_equal(found["voxels"].T, labels.array)
    to_world = labels.index_to_world[:, [2, 1, 0, 3]]
    np.testing.assert_allclose(found["ijkToLPS"], to_world, rtol=0, atol=1e-12)
    assert [one["labelValue"] for one in found["segments"]] == [1, 2, 3]
    for one in found["segments"]:
        assert one["name"] == TITLES[one["labelValue"]]
        np.testing.assert_allclose(one["color"], COLOURS[one["labelValue"]])
        assert one["layer"] == 0
        assert one["extent"] == [0, 6, 0, 5, 0, 4]
        assert len(one["terminology"]["type"]) == 3
    bone = slicerio.segment_mask(found, "Bone")
    np.testing.assert_array_equal(bone.T, np.asarray(labels.array) == 3)
    assert found["segments"][2]["terminology"]["type"] == ["SCT", "272673000", "Bone"]


def test_we_read_what_slicerio_writes(tmp_path: Path) -> None:
    to_lps = np.diag([0.5, 0.25, 2.0, 1.0])
    made = slicerio.create_segmentation((7, 6, 5), to_lps)
    mask = np.zeros((7, 6, 5), bool)
    mask[1:3, 2:4, 1] = True
    slicerio.add_segment(made, mask, {"id": "b", "name": "bone", "color": [1.0, 0.0, 0.0]})
    slicerio.write_segmentation(str(tmp_path / "a.seg.nrrd"), made)
    volume = read(tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(np.asarray(volume.array), 3 * mask.T)  # 1 in the file, bone is 3 here
    assert volume.spacing_mm == (2.0, 0.25, 0.5)


def test_metadata_and_label_table_survive(labels: Volume, tmp_path: Path) -> None:
    write(labels, tmp_path / "a.seg.nrrd")
    assert read(tmp_path / "a.seg.nrrd").metadata == {**labels.metadata, "content": "labels"}


def test_segments_are_renumbered_by_name(tmp_path: Path) -> None:
    array = np.arange(5, dtype=np.uint8).reshape(1, 1, 5)
    names = {"BONE": 1, "residual_material": 2, "Degradation  Layer": 3, "Marrow": 4}
    volume = read(slicer_file(tmp_path / "a.seg.nrrd", array, names))
    assert np.asarray(volume.array).tolist() == [[[0, 3, 1, 2, 4]]]
    assert volume.array[0, 0, 1] == 3
    kept = json.loads(volume.metadata["segments"])
    assert [(one["name"], one["value"]) for one in kept] == [
        ("BONE", 3), ("residual_material", 1), ("Degradation  Layer", 2), ("Marrow", 4)
    ]  # fmt: skip
    write(volume, tmp_path / "b.seg.nrrd")
    again = slicerio.read_segmentation(str(tmp_path / "b.seg.nrrd"))
    assert {one["name"]: one["labelValue"] for one in again["segments"]}["Marrow"] == 4
    assert again["segments"][3]["color"] == [0.1, 0.2, 0.3]
    assert again["segments"][3]["status"] == "inprogress"


def test_names_of_nobody_keep_their_numbers(tmp_path: Path) -> None:
    array = np.arange(4, dtype=np.uint8).reshape(1, 2, 2)
    volume = read(slicer_file(tmp_path / "a.seg.nrrd", array, {"Segment_1": 1, "Segment_2": 2, "Segment_3": 3}))
    np.testing.assert_array_equal(np.asarray(volume.array), array)
    assert "Segment_2" in volume.metadata["segments"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"Bone": 1, "Muscle": 2}, "'Muscle' has the label value 2, which means degradation_layer; rename"),
        ({"Bone": 1, "bone ": 2}, "two segments have the same name"),
    ],
)
def test_names_and_numbers_that_contradict(names: dict[str, int], reason: str, tmp_path: Path) -> None:
    path = slicer_file(tmp_path / "a.seg.nrrd", np.zeros((2, 2, 2), np.uint8), names)
    with pytest.raises(InputError, match=reason):
        read(path)


def test_overlapping_segments_tell_what_to_do(tmp_path: Path) -> None:
    made = slicerio.create_segmentation((4, 4, 4), np.eye(4))
    for name in ("a", "b"):
        slicerio.add_segment(made, np.ones((4, 4, 4), bool), {"id": name, "name": name})
    slicerio.write_segmentation(str(tmp_path / "a.seg.nrrd"), made)
    with pytest.raises(InputError, match="overlap, in 2 layers; wanted one layer; in Slicer's Segment Editor"):
        read(tmp_path / "a.seg.nrrd")


def test_a_segment_for_unlabelled_voxels_only_where_there_are_some(labels: Volume, tmp_path: Path) -> None:
    array = np.array(labels.array)
    for ignored in (0, 1):
        array[4, 0, :ignored] = 255
        write(labels.like(array), tmp_path / "a.seg.nrrd")
        found = slicerio.read_segmentation(str(tmp_path / "a.seg.nrrd"))
        names = [one["name"] for one in found["segments"]]
        assert names == ["Residual material", "Degradation layer", "Bone"] + ["Ignore"] * ignored
        again = read(tmp_path / "a.seg.nrrd")
        np.testing.assert_array_equal(np.asarray(again.array), array)
        assert "segments" not in again.metadata


def test_labels_outside_the_table_are_refused(labels: Volume, tmp_path: Path) -> None:
    array = np.array(labels.array)
    array[0, 0, 0] = 9
    with pytest.raises(InputError, match=r"got label value 9 for a\.seg\.nrrd, wanted 0, 1, 2, 3, 255"):
        write(labels.like(array), tmp_path / "a.seg.nrrd")
    with pytest.raises(InputError, match="voxels of type float32 .* wanted labels"):
        write(labels.like(array.astype(np.float32)), tmp_path / "a.seg.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_segmentation(labels: Volume, tmp_path: Path) -> None:
    write(labels.like(np.zeros(labels.shape, np.uint8)), tmp_path / "a.seg.nrrd")
    assert not np.asarray(read(tmp_path / "a.seg.nrrd").array).any()
    assert len(slicerio.read_segmentation(str(tmp_path / "a.seg.nrrd"))["segments"]) == 3


def test_wide_integers_and_raw(labels: Volume, tmp_path: Path) -> None:
    with create(tmp_path / "a.seg.nrrd", labels, np.int32, compress=False) as put:
        put(labels.array)
    volume = read(tmp_path / "a.seg.nrrd")
    assert (volume.dtype, volume.array.how) == (np.int32, "memory-mapped")
    np.testing.assert_array_equal(np.asarray(volume.array), labels.array)


def test_files_of_old_slicers_count_from_one(tmp_path: Path) -> None:
    path = slicer_file(tmp_path / "a.seg.nrrd", np.ones((1, 1, 2), np.uint8), {})
    text = path.read_bytes().replace(b"Segmentation_M", b"Segment0_ID:=x\nSegment0_Name:=Bone\nSegmentation_M")
    path.write_bytes(text)
    assert np.asarray(read(path).array).tolist() == [[[3, 3]]]


def test_a_table_of_its_own_is_the_measure(labels: Volume, tmp_path: Path) -> None:
    table = json.dumps([{"value": 3, "name": "Bone", "colour": [1, 1, 1], "id": "b", "tags": ""}])
    bone = labels.like(np.where(np.asarray(labels.array) == 3, 3, 0).astype(np.uint8), segments=table)
    write(bone, tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.seg.nrrd").array), bone.array)
    with pytest.raises(InputError, match="got label value 1 .* wanted 0, 3, 255"):
        write(labels.like(labels.array, segments=table), tmp_path / "b.seg.nrrd")
