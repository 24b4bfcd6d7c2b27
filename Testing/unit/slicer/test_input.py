"""The section Scan on the host."""

import numpy as np
import pytest

from ImplantSegLib.volumes import Volume, write


@pytest.fixture
def section(host, root):
    from ImplantSegLib.inslicer.input import InputSection

    return host.load(root / "ImplantSeg" / "ImplantSeg.py").panel.section(InputSection)


@pytest.fixture
def volume(section):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(node, np.zeros((4, 5, 6), np.uint16))
    node.SetSpacing(0.005, 0.005, 0.01)
    return node


def choose_file(section, path):
    section.parameters.source = type(section.parameters.source).DISK
    section.ui.pathLineEdit.currentPath = str(path)


def ask(host, section):
    host.wait(lambda: section.facts or section.problems()[0] != "The header of the scan is being read. Wait a moment.")


def shown(widget):
    return not widget.isHidden()


def test_without_a_scan_it_tells_what_to_do(section):
    assert section.problems() == ["No scan was chosen. Choose a volume."]
    assert not shown(section.ui.factsLabel)
    assert not shown(section.ui.pathLineEdit)


def test_a_volume_is_described_in_micrometres(section, volume):
    section.parameters.inputVolume = volume
    assert section.problems() == []
    assert section.ui.factsLabel.text == "6 × 5 × 4 voxels of 5 × 5 × 10 µm, uint16, 240 bytes"
    assert not shown(section.ui.voxelSizeSpinBox)
    scan = section.scan()
    assert (scan.name, scan.shape, scan.steps_um, scan.crop()) == ("scan", (4, 5, 6), (10, 5, 5), "")


def test_a_volume_of_cubes_of_a_millimetre_is_asked_for_its_voxel_size(section, volume):
    volume.SetSpacing(1, 1, 1)
    section.parameters.inputVolume = volume
    assert shown(section.ui.voxelSizeSpinBox)
    assert "1 mm is a guess" in section.ui.inputWarningLabel.text
    assert not section.ui.setVoxelSizeButton.enabled
    assert section.ui.factsLabel.text == "6 × 5 × 4 voxels of unknown size, uint16, 240 bytes"
    section.ui.voxelSizeSpinBox.value = 5
    assert section.ui.factsLabel.text == "6 × 5 × 4 voxels of 5 µm, uint16, 240 bytes"
    assert section.ui.inputWarningLabel.text == ""
    assert section.scan().voxel_size_um == 5
    section.ui.setVoxelSizeButton.click()
    np.testing.assert_allclose(volume.GetSpacing(), [0.005] * 3)
    assert not shown(section.ui.voxelSizeSpinBox)
    assert section.scan().voxel_size_um == 0


def test_a_label_map_or_a_bent_volume_is_a_problem(section, volume):
    import slicer

    section.parameters.inputVolume = volume
    bending = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bending")
    volume.SetAndObserveTransformNodeID(bending.GetID())
    assert section.problems()[0].startswith("Scan lies under bending, which bends it.")


def test_a_region_is_fitted_to_the_scan_and_one_beside_it_is_a_problem(section, volume):
    import slicer

    section.parameters.inputVolume = volume
    assert not section.ui.fitRoiButton.enabled
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
    section.parameters.cropRoi = roi
    assert section.problems() == ["The region region has no size. Draw it, or choose no region."]
    section.ui.fitRoiButton.click()
    assert section.scan().crop() == "0:4,0:5,0:6"
    roi.SetCenter(1, 1, 1)
    assert section.problems()[0].startswith("The region region lies outside the scan.")


def test_a_file_on_disk_is_described_without_loading_it(host, section, tmp_path):
    import slicer

    write(Volume(np.zeros((4, 5, 6), np.uint16), (0.01, 0.005, 0.005)), tmp_path / "scan.nrrd")
    choose_file(section, tmp_path / "scan.nrrd")
    assert section.problems() == ["The header of the scan is being read. Wait a moment."]
    ask(host, section)
    assert section.ui.factsLabel.text == "6 × 5 × 4 voxels of 5 × 5 × 10 µm, uint16, 240 bytes"
    assert section.problems() == []
    assert shown(section.ui.loadPreviewButton)
    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


def test_slices_without_a_voxel_size_get_the_one_that_is_entered(host, section, tmp_path):
    write(Volume(np.zeros((4, 5, 6), np.uint16), (1, 1, 1), metadata={"voxel_size_known": "no"}), tmp_path / "s.nrrd")
    choose_file(section, tmp_path / "s.nrrd")
    ask(host, section)
    assert shown(section.ui.voxelSizeSpinBox)
    assert not shown(section.ui.setVoxelSizeButton)
    section.ui.voxelSizeSpinBox.value = 2.5
    scan = section.scan()
    assert (scan.voxel_size_um, scan.steps_um, scan.told_voxel_size_um) == (2.5, (2.5, 2.5, 2.5), 2.5)
    np.testing.assert_allclose(np.diag(scan.to_world())[:3], [-0.0025, -0.0025, 0.0025])


def test_what_is_no_volume_is_told_as_the_command_says_it(host, section, tmp_path):
    (tmp_path / "notes.txt").write_text("no volume")
    choose_file(section, tmp_path / "notes.txt")
    ask(host, section)
    assert "notes.txt" in section.problems()[0]
    assert section.ui.inputWarningLabel.text == section.problems()[0]


def test_a_file_that_was_deleted_meanwhile_is_a_problem(host, section, tmp_path):
    write(Volume(np.zeros((4, 5, 6), np.uint16), (0.01, 0.005, 0.005)), tmp_path / "scan.nrrd")
    choose_file(section, tmp_path / "scan.nrrd")
    ask(host, section)
    (tmp_path / "scan.nrrd").unlink()
    assert section.problems()[0].startswith("There is no ")


def test_the_folder_button_fills_the_field(host, section, tmp_path):
    section.parameters.source = type(section.parameters.source).DISK
    host.answers["getExistingDirectory"] = str(tmp_path)
    section.ui.folderButton.click()
    assert section.parameters.inputPath == tmp_path


def test_the_preview_of_a_large_file_is_binned_until_it_is_small(host, section, tmp_path, monkeypatch):
    import slicer

    from ImplantSegLib.inslicer import preview

    assert preview.binning_for((2000, 2000, 2000)) == 6
    assert preview.binning_for((10, 10, 10)) == 1
    monkeypatch.setattr(preview, "PREVIEW_BYTES", 4 * 16**3 // 8)
    values = np.random.default_rng(0).normal(100, 5, (16, 16, 16)).astype(np.float32)
    write(Volume(values, (0.01, 0.01, 0.01), (1, 2, 3)), tmp_path / "scan.nrrd")
    choose_file(section, tmp_path / "scan.nrrd")
    ask(host, section)
    for _ in range(2):  # the second preview takes the place of the first
        section.ui.loadPreviewButton.click()
        host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in nodes] == ["scan preview (binned 2)"]
    np.testing.assert_allclose(slicer.util.arrayFromVolume(nodes[0])[0, 0, 0], values[:2, :2, :2].mean(), rtol=1e-5)
    np.testing.assert_allclose(nodes[0].GetOrigin(), (-1.005, -2.005, 3.005))
    assert not host.displayed


def test_a_closed_scene_forgets_the_scan(host, section, volume):
    import slicer

    section.parameters.inputVolume = volume
    slicer.mrmlScene.Clear(0)
    host.process()
    assert section.problems() == ["No scan was chosen. Choose a volume."]
    assert section.ui.factsLabel.text == ""
