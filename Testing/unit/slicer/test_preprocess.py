"""The section Preprocessing on the host: its options, the preview on a slice, the check of the scan."""

import json

import numpy as np
import pytest

SHAPE = (40, 24, 24)


@pytest.fixture
def section(host, root):
    from ImplantSegLib.inslicer.preprocess import PreprocessSection

    return host.load(root / "ImplantSeg" / "ImplantSeg.py").panel.section(PreprocessSection)


@pytest.fixture
def volume(section):
    """Slices that are brighter the higher they lie, as the scan of the panel, shown in the slice views."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    values = np.random.default_rng(0).normal(100, 2, SHAPE) + 10 * np.arange(SHAPE[0])[:, None, None]
    slicer.util.updateVolumeFromArray(node, values.astype(np.float32))
    node.SetSpacing(0.01, 0.01, 0.02)
    section.parameters.inputVolume = node
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def background():
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def show_slice(offset_mm):
    import slicer

    slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().SetSliceOffset(offset_mm)


def test_the_choices_are_the_options_of_the_command(section, volume):
    from ImplantSegLib.inslicer.commands import Preparation

    assert Preparation.of(section.parameters) == Preparation()
    assert not section.ui.denoiseStrengthSlider.enabled
    section.ui.binningSpinBox.value = 3
    section.ui.denoiseCheckBox.checked = True
    section.ui.denoiseStrengthSlider.value = 0.8
    section.ui.scaleCheckBox.checked = True
    section.ui.lowPercentSpinBox.value = 0.5
    assert Preparation.of(section.parameters) == Preparation(3, 0.8, (0.5, 99.9))
    assert section.ui.denoiseStrengthSlider.enabled
    assert section.ui.binnedLabel.text == "voxels of 30 × 60 µm"
    volume.SetSpacing(1, 1, 1)  # as Slicer reads a file that does not tell it
    section.panel.refresh()
    assert section.ui.binnedLabel.text == ""


def test_percentiles_the_wrong_way_round_are_a_problem(section, volume):
    section.parameters.scaleByPercentiles = True
    section.parameters.lowPercent = section.parameters.highPercent = 50
    assert len(section.problems()) == 1
    assert not section.ui.slicePreviewButton.enabled


def test_there_is_nothing_to_preview_without_a_scan_or_a_step(section, host):
    section.parameters.binning = 2
    assert not section.ui.slicePreviewButton.enabled
    assert not section.ui.qualityButton.enabled


def test_the_preview_shows_some_slices_in_their_place_and_can_be_switched_off(host, section, volume):
    import slicer

    assert not section.ui.slicePreviewButton.enabled
    section.parameters.binning = 2
    show_slice(20 * 0.02)
    section.ui.slicePreviewButton.click()
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    node = background()
    assert node.GetName() == "scan preprocessed (preview)"
    # slices 4 to 36 around slice 20, two by two
    values = slicer.util.arrayFromVolume(node)
    assert values.shape == (16, 12, 12)
    np.testing.assert_allclose(values[0].mean(), 100 + 45, atol=1)
    np.testing.assert_allclose(node.GetOrigin()[2], 4.5 * 0.02)
    assert section.ui.showPreviewCheckBox.checked
    section.ui.showPreviewCheckBox.checked = False
    assert background() is volume
    section.ui.showPreviewCheckBox.checked = True
    assert background() is node
    assert not host.displayed


def test_a_slice_beside_the_scan_is_told(host, section, volume):
    section.parameters.binning = 2
    show_slice(5)
    section.ui.slicePreviewButton.click()
    assert "The slice lies outside the scan. Move the red slice view to the scan." in str(host.displayed[-1])
    assert section.panel.run.ui.applyButton.enabled or section.panel.problems()


def test_the_slab_is_thin_along_the_axis_that_the_slice_is_perpendicular_to(section, volume):
    import slicer

    from ImplantSegLib.inslicer import preview
    from ImplantSegLib.inslicer.segmenting import Scan

    yellow = slicer.app.layoutManager().sliceWidget("Yellow").mrmlSliceNode()  # sagittal: along x
    yellow.JumpSlice(20 * 0.01, 0, 0)
    pose = slicer.util.arrayFromVTKMatrix(yellow.GetSliceToRAS())
    assert str(preview.slab(Scan(volume), 1, pose)) == "0:,0:,12:24"


def test_the_check_shows_the_warnings_the_values_and_the_histogram(host, section, volume, monkeypatch, tmp_path):
    import sys

    from ImplantSegLib.inslicer import runner

    told = {
        "classes": {
            "class_0": {"voxels": 9, "mean": 20809.56, "std": 1169.3, "snr": 17.8},
            "bone": {"voxels": 9, "mean": 0.5, "std": 0.01, "snr": 50.0},
        },
        "cnr": {"class_0/bone": {"over_background": 1.8, "pooled": 1.68}},
        "warnings": [{"measure": "cnr", "sentence": "its contrast to noise is 3.59, in training 5.81 to 6.59"}],
    }
    picture = tmp_path / "picture.png"
    import qt

    pixmap = qt.QPixmap(60, 40)
    pixmap.fill(qt.QColor("white"))
    pixmap.save(str(picture))
    called = []

    def command(verb, *arguments):
        if verb != "quality":  # other sections ask questions in the background
            return [sys.executable, "-c", "import sys; sys.exit(2)"]
        called.append([verb, *map(str, arguments)])
        figure = str(arguments[list(arguments).index("--figure") + 1])
        code = f"import shutil; shutil.copy({str(picture)!r}, {figure!r}); print({json.dumps(told)!r})"
        return [sys.executable, "-c", code]

    monkeypatch.setattr(runner.worker, "command", command)
    section.ui.qualityButton.click()
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    assert called[-1][0] == "quality"
    assert called[-1][2:5] == ["--model", "compact_unet", "--json"]
    assert section.ui.qualityWarningLabel.text == (
        "The scan lies outside what the model was trained on:\nIts contrast to noise is 3.59, in training 5.81 to 6.59."
    )
    assert section.ui.qualityLabel.text == (
        "background: 20810 ± 1169, signal to noise 17.8\nBone: 0.5 ± 0.01, signal to noise 50.0\n"
        "background / Bone: contrast to noise 1.7"
    )
    assert section.ui.histogramLabel.pixmap.width() == 60
    assert section.ui.histogramLabel.minimumHeight == 40
    import slicer

    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "another scan")
    slicer.util.updateVolumeFromArray(other, np.zeros(SHAPE, np.float32))
    section.parameters.inputVolume = other
    assert section.ui.qualityLabel.text == ""
    assert not section.ui.histogramLabel.isVisibleTo(section.form)

    slicer.mrmlScene.Clear(0)
    host.process()
    assert section.ui.qualityLabel.text == ""


def test_ratios_that_are_undefined_are_a_dash(host):
    from ImplantSegLib.inslicer.preprocess import text_of

    told = {
        "classes": {
            "class_0": {"mean": 7.0, "std": 0.0, "snr": None},
            "class_1": {"mean": 9.0, "std": 0.0, "snr": None},
        },
        "cnr": {"class_0/class_1": {"pooled": None}},
    }
    assert text_of(told).splitlines() == [
        "background: 7 ± 0, signal to noise –",
        "grey class 1: 9 ± 0, signal to noise –",
        "background / grey class 1: contrast to noise –",
    ]


def test_the_options_of_the_check_are_those_of_the_command(capsys):
    from ImplantSegLib import cli

    with pytest.raises(SystemExit):
        cli.main(["quality", "--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--model", "--json", "--figure", "--spacing-um"))
