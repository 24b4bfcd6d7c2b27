"""The samples on the host: registered as Slicer's module Sample Data wants it, made by the real command, loaded."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def offered(host, root, monkeypatch):
    """The samples, registered by the module, and so small that they are made in seconds."""
    widget = host.load(root / "ImplantSeg" / "ImplantSeg.py")
    from ImplantSegLib.inslicer import samples

    small = tuple(dataclasses.replace(one, shape="16,24,24", spacing_um="120") for one in samples.SAMPLES)
    monkeypatch.setattr(samples, "SAMPLES", small)
    import slicer

    vars(slicer.modules).pop("sampleDataSources", None)
    import ImplantSeg

    ImplantSeg.registerSampleData()
    ImplantSeg.registerSampleData()  # as after a reload of the module
    yield widget
    vars(slicer.modules).pop("sampleDataSources", None)


def press(host, name: str) -> None:
    """Press a sample's button and wait until it is made."""
    import SampleData

    from ImplantSegLib.inslicer import sampledata

    SampleData.press(name)
    host.wait(lambda: not sampledata._at_work, 100)


def classes() -> list[str]:
    import slicer

    kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
    return [node.GetClassName() for kind in kinds for node in slicer.util.getNodesByClass(kind)]


def test_each_sample_has_a_button_with_its_picture(offered):
    import SampleData

    sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory("ImplantSeg")
    assert [source.sampleName for source in sources] == [
        "Explant 12 weeks", "Explant 12 weeks with truth", "Explant 4 weeks with truth",
    ]  # fmt: skip
    for source in sources:
        content = Path(source.thumbnailFileName).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert [int.from_bytes(content[start : start + 4]) for start in (16, 20)] == [260, 240]


def test_a_sample_is_made_and_comes_with_what_is_known_about_it(host, offered):
    import slicer

    press(host, "Explant 12 weeks with truth")
    assert classes() == ["vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode", "vtkMRMLSegmentationNode"]
    scan = slicer.util.getNode("Explant 12 weeks")
    truth = slicer.util.getNode("Explant 12 weeks truth")
    assert slicer.util.arrayFromVolume(scan).shape == (16, 24, 24)
    assert np.allclose(scan.GetSpacing(), 0.12)
    ids = [truth.GetSegmentation().GetNthSegmentID(index) for index in range(3)]
    assert ids == ["residual_material", "degradation_layer", "bone"]
    assert truth.GetNodeReference(truth.GetReferenceImageGeometryReferenceRole()) is scan
    reference = slicer.util.arrayFromVolume(slicer.util.getNode("*reference screw"))
    assert set(np.unique(reference)) == {0, 1}
    assert not [str(message) for message in host.displayed if message.kind == "error"]
    # the second button shows the same explant: it is not made again
    press(host, "Explant 12 weeks")
    assert classes().count("vtkMRMLScalarVolumeNode") == 2


def test_a_sample_that_cannot_be_made_says_why(host, offered, monkeypatch):
    from ImplantSegLib.inslicer import samples

    broken = tuple(dataclasses.replace(one, spacing_um="-1") for one in samples.SAMPLES)
    monkeypatch.setattr(samples, "SAMPLES", broken)
    press(host, "Explant 12 weeks")
    errors = [message.text for message in host.displayed if message.kind == "error"]
    assert len(errors) == 1
    assert errors[0].startswith("The sample could not be made.")
    assert classes() == []
