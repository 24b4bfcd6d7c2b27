"""Parameters of modules: stored in the scene as Slicer stores them, bound to widgets that Slicer can bind."""

import enum
from pathlib import Path
from typing import Annotated

import pytest


class Device(enum.Enum):
    AUTO = "auto"
    CPU = "cpu"

    def label(self):
        return self.value.upper()


@pytest.fixture
def make(host):
    """Wrap the module's node with a class of the given annotations."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    def wrap(**annotations):
        cls = parameterNodeWrapper(type("Parameters", (), {"__annotations__": annotations}))
        return cls(ScriptedLoadableModuleLogic().getParameterNode())

    return wrap


@pytest.fixture
def volume(host):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")


@pytest.mark.parametrize(
    ("datatype", "first", "value", "text"),
    [
        (int, 0, 7, "7"),
        (float, 0.0, 0.25, "0.25"),
        (str, "", "a b", "a b"),
        (bool, False, True, "True"),
        (Path, Path(), Path("models/unet"), str(Path("models/unet"))),
        (Device, Device.AUTO, Device.CPU, "CPU"),
    ],
)
def test_values_are_texts(make, datatype, first, value, text):
    parameters = make(x=datatype)
    assert parameters.x == first
    parameters.x = value
    assert parameters.x == value
    assert type(parameters.x) is type(value)
    assert parameters.parameterNode.GetParameter("x") == text


def test_nodes_are_references(make, volume):
    import slicer

    parameters = make(scan=slicer.vtkMRMLScalarVolumeNode, other=slicer.vtkMRMLScalarVolumeNode | None)
    assert parameters.scan is None
    assert parameters.other is None
    parameters.scan = parameters.other = volume
    assert parameters.scan is volume
    assert parameters.other is volume
    assert parameters.parameterNode.GetNodeReferenceID("scan") == volume.GetID()
    assert parameters.parameterNode.GetNodeReferenceID("other.0") == volume.GetID()
    parameters.other = None
    assert parameters.other is None
    with pytest.raises(TypeError, match="vtkMRMLModelNode"):
        parameters.scan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")


def test_lists_store_every_change(make):
    parameters = make(sizes=list[int])
    parameters.sizes.append(3)
    parameters.sizes += [4]
    assert parameters.sizes == [3, 4]
    assert parameters.parameterNode.GetParameter("sizes.len") == "2"
    parameters.sizes.clear()
    assert not parameters.parameterNode.HasParameter("sizes.0")
    with pytest.raises(TypeError, match="two"):
        parameters.sizes = [1, "two"]
    assert parameters.sizes == []


def test_defaults_and_conditions(make):
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange

    parameters = make(
        size=Annotated[float, WithinRange(1, 10), Default(2.76)],
        bin=Annotated[int, Choice([1, 2, 4]), Default(1)],
        weeks=Annotated[float, Minimum(0)],
    )
    assert (parameters.size, parameters.bin, parameters.weeks) == (2.76, 1, 0)
    for name, wrong in (("size", 11), ("bin", 3), ("weeks", -1)):
        with pytest.raises(ValueError, match=str(wrong)):
            setattr(parameters, name, wrong)
    with pytest.raises(ValueError, match="10"):
        make(size_without_default=Annotated[float, WithinRange(1, 10)])


def test_types_that_cannot_be_stored_are_refused(make):
    with pytest.raises(Exception, match="member x"):
        make(x=bytes)


def test_widgets_and_parameters_follow_each_other(make, volume):
    import ctk
    import qt
    import slicer
    from slicer.parameterNodeWrapper import Default, WithinRange

    parameters = make(
        scan=slicer.vtkMRMLScalarVolumeNode | None,
        size=Annotated[float, WithinRange(1, 10), Default(2.76)],
        count=int,
        device=Device,
        model=Path,
        surface=bool,
        name=str,
    )
    form = qt.QWidget()
    widgets = {
        "scan": slicer.qMRMLNodeComboBox(form),
        "size": ctk.ctkSliderWidget(form),
        "count": qt.QSpinBox(form),
        "device": qt.QComboBox(form),
        "model": ctk.ctkPathLineEdit(form),
        "surface": qt.QCheckBox(form),
        "name": qt.QLineEdit(form),
    }
    widgets["scan"].noneEnabled = True
    widgets["scan"].setMRMLScene(slicer.mrmlScene)
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
    tag = parameters.connectGui(form)

    assert (widgets["size"].minimum, widgets["size"].maximum, widgets["size"].value) == (1, 10, 2.76)
    assert [widgets["device"].itemText(place) for place in range(2)] == ["AUTO", "CPU"]
    widgets["scan"].setCurrentNode(volume)
    widgets["size"].value = 5
    widgets["count"].value = 3
    widgets["device"].currentIndex = 1
    widgets["model"].currentPath = "a.pt"
    widgets["surface"].checked = True
    widgets["name"].text = "x"
    expected = [volume, 5, 3, Device.CPU, Path("a.pt"), True, "x"]
    assert [parameters.getValue(name) for name in widgets] == expected

    parameters.surface, parameters.device, parameters.scan = False, Device.AUTO, None
    assert widgets["surface"].checked is False
    assert widgets["device"].currentText == "AUTO"
    assert widgets["scan"].currentNode() is None

    parameters.disconnectGui(tag)
    widgets["count"].value = 9
    assert parameters.count == 3


def test_pairs_that_slicer_does_not_know_are_refused(make):
    import ctk
    import qt

    parameters = make(text=str, size=float, choice=str)
    for name, widget in (("text", qt.QPlainTextEdit()), ("size", qt.QSpinBox()), ("text", qt.QComboBox())):
        with pytest.raises(RuntimeError, match=r"Unable to create|requires the Choice"):
            parameters.connectParametersToGui({name: widget})
    with pytest.raises(RuntimeError, match="unbounded"):
        parameters.connectParametersToGui({"size": ctk.ctkSliderWidget()})
    with pytest.raises(ValueError, match="Cannot find a param"):
        parameters.connectParametersToGui({"txet": qt.QLineEdit()})


def test_observers_see_the_change_already_made(make):
    import vtk

    parameters = make(first=int, count=int)
    seen = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(parameters.count))
    parameters.count = 5
    assert seen == [5]
    parameters.parameterNode.SetParameter("count", "6")
    assert (seen, parameters.count) == ([5, 6], 6)
    # VTK calls the first observer of a node last, and that is the one of the first parameter
    late = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: late.append(parameters.first))
    parameters.parameterNode.SetParameter("first", "7")
    assert (late, parameters.first) == ([0], 7)


def test_all_choices_come_back_from_a_scene_file(make, volume, tmp_path):
    import numpy as np
    import slicer

    slicer.util.updateVolumeFromArray(volume, np.zeros((2, 3, 4), np.uint8))
    annotations = {"scan": slicer.vtkMRMLScalarVolumeNode | None, "device": Device, "size": float, "names": list[str]}
    parameters = make(**annotations)
    parameters.scan, parameters.device, parameters.size, parameters.names = volume, Device.CPU, 2.5, ["a", "b"]
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    assert make(**annotations).size == 0
    slicer.util.loadScene(path)
    back = make(**annotations)
    assert back.scan.GetName() == "scan"
    assert (back.device, back.size, back.names) == (Device.CPU, 2.5, ["a", "b"])
