"""From the phantom to a quantified scene that is saved and opened again, by the widgets of the two modules alone."""

import dataclasses

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]

CLASSES = ["residual_material", "degradation_layer", "bone"]


@pytest.fixture
def story(host, root, monkeypatch):
    from story import Story

    story = Story(root)
    from ImplantSegLib.inslicer import samples

    # as fine as the model wants it, and no larger than needed
    small = tuple(dataclasses.replace(one, shape="56,280,280", spacing_um="15") for one in samples.SAMPLES)
    monkeypatch.setattr(samples, "SAMPLES", small)
    return story


def labels(node) -> np.ndarray:
    """Label of every voxel of a segmentation, 1 to 3 in the order of the classes."""
    import slicer

    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    masks = [slicer.util.arrayFromSegmentBinaryLabelmap(node, name, volume) for name in CLASSES]
    return sum((number * mask for number, mask in enumerate(masks, 1)), np.zeros_like(masks[0]))


def rows(table) -> dict[str, dict[str, str]]:
    """Texts of a table, by the key of a measure and the title of a column."""
    titles = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    texts = (
        [table.GetCellText(row, column) for column in range(len(titles))] for row in range(table.GetNumberOfRows())
    )
    return {row[titles.index("Key")]: dict(zip(titles, row, strict=True)) for row in texts}


def scene_facts(story) -> dict:
    """What must be the same in a scene that was saved and opened again."""
    import slicer

    seg, quant = (module.logic.getParameterNode() for module in (story.seg, story.quant))
    kinds = ("Segmentation", "ScalarVolume", "Model", "LinearTransform", "Table")
    nodes = {kind: sorted(n.GetName() for n in slicer.util.getNodesByClass(f"vtkMRML{kind}Node")) for kind in kinds}
    return {
        "nodes": nodes,
        "scan": seg.inputVolume.GetName(),
        "segmentation": [seg.outputSegmentation.GetName(), quant.segmentation.GetName()],
        "weeks": quant.weeks,
        "table": rows(quant.shownResults),
        "labels": np.bincount(labels(quant.segmentation).ravel()).tolist(),
    }


def test_from_the_phantom_to_a_quantified_scene_and_back(host, story, tmp_path):
    import slicer

    story.load_sample("Explant 12 weeks with truth")
    story.segment()
    truth, found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [found.GetSegmentation().GetNthSegmentID(index) for index in range(3)] == CLASSES
    assert np.mean(labels(found) == labels(truth)) > 0.95

    story.choose_sample(weeks=12)
    story.register()
    story.measure()
    facts = scene_facts(story)
    assert abs(float(facts["table"]["degradation_rate"]["Error (%)"])) < 5
    assert abs(float(facts["table"]["bone_volume_fraction"]["Error (%)"])) < 5

    path = tmp_path / "explant.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    host.process(200)
    assert not slicer.util.getNodesByClass("vtkMRMLTableNode")
    slicer.util.loadScene(str(path))
    host.process(200)
    assert scene_facts(story) == facts
    assert [str(message) for message in host.displayed if message.kind == "error"] == []
