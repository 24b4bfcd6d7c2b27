"""The host is as strict as PythonQt: what would fail in Slicer fails here."""

import pytest


@pytest.fixture
def button(host):
    import qt

    return qt.QPushButton("Apply")


def test_properties_are_attributes(button):
    button.enabled = False
    assert button.enabled is False
    assert button.text == "Apply"
    with pytest.raises(TypeError, match="not callable"):
        button.text()


def test_unknown_attributes_are_refused(button):
    with pytest.raises(AttributeError, match="'enable' does not exist"):
        button.enable = True


def test_unknown_signals_are_refused(button):
    for wrong in ("pressed_down()", "clicked", "clicked(QString)"):
        with pytest.raises(AttributeError, match="signal"):
            button.connect(wrong, print)


@pytest.mark.parametrize(("name", "value"), [("text", None), ("text", 5), ("enabled", "yes"), ("enabled", None)])
def test_wrong_types_are_refused(button, name, value):
    with pytest.raises(TypeError, match=name):
        setattr(button, name, value)


def test_classes_of_ones_own_may_have_attributes(host):
    import qt

    class Field(qt.QLineEdit):
        def __init__(self, parent=None):
            super().__init__(parent)
            self.history = []

    assert Field().history == []


def test_what_pyside_has_and_pythonqt_has_not_is_refused(host):
    import qt

    with pytest.raises(AttributeError, match="PySide"):
        _ = qt.Signal
    with pytest.raises(TypeError):
        qt.QLabel("text", wordWrap=True)


def test_classes_and_names(host, button):
    import qt

    panel = qt.QWidget()
    button.setParent(panel)
    button.name = "apply"
    assert button.objectName == "apply"
    assert button.className() == "QPushButton"
    assert isinstance(button, qt.QWidget)
    assert not isinstance(button, qt.QLabel)
    assert panel.findChild(qt.QPushButton, "apply") is button
    assert panel.findChildren("QAbstractButton") == [button]


def test_numbers_of_stand_ins_are_checked(host):
    import ctk

    slider, seen = ctk.ctkSliderWidget(), []
    slider.connect("valueChanged(double)", seen.append)
    slider.maximum = 10.0
    slider.value = 3
    slider.value = 99
    assert (seen, slider.value) == ([3, 10], 10)
    with pytest.raises(TypeError, match="value"):
        slider.value = "3"
    with pytest.raises(AttributeError, match="does not exist"):
        slider.maximumValue = 5


@pytest.fixture
def selector(host):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLVolumeNode"]
    return selector


def add(kind, name):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}Node", name)


def test_node_selectors_follow_the_scene(selector):
    import slicer

    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: seen.append(node and node.GetName()))
    selector.setMRMLScene(slicer.mrmlScene)
    first, labels, last = add("ScalarVolume", "first"), add("LabelMapVolume", "labels"), add("ScalarVolume", "last")
    add("Model", "screw")
    first.SetName("renamed")
    assert selector.findChild("QComboBox").itemText(0) == "renamed"
    first.SetName("first")
    assert selector.nodeTypes == ("vtkMRMLVolumeNode",)
    assert selector.nodeCount() == 3
    assert selector.currentNode() is None
    selector.setCurrentNode(labels)
    slicer.mrmlScene.RemoveNode(labels)
    assert selector.currentNode() is last
    slicer.mrmlScene.RemoveNode(last)
    assert selector.currentNode() is first
    slicer.mrmlScene.Clear(0)
    assert seen == ["labels", "last", "first", None]


def test_node_selectors_choose_by_themselves_only_as_slicer_does(selector):
    import slicer

    selector.setMRMLScene(slicer.mrmlScene)
    first = add("ScalarVolume", "first")
    assert selector.currentNode() is None, "the entry 'Create new' keeps Qt from choosing"
    later = slicer.qMRMLNodeComboBox()
    later.nodeTypes = selector.nodeTypes
    later.setMRMLScene(slicer.mrmlScene)
    assert later.currentNode() is first
    slicer.mrmlScene.Clear(0)
    for name in ("addEnabled", "removeEnabled"):
        setattr(selector, name, False)
    assert selector.currentNode() is None
    assert add("ScalarVolume", "second") is selector.currentNode()
    optional = slicer.qMRMLNodeComboBox()
    optional.noneEnabled = True
    optional.nodeTypes = selector.nodeTypes
    optional.setMRMLScene(slicer.mrmlScene)
    assert optional.currentNode() is None


def test_sections_fold_and_keep_what_is_hidden_inside(host):
    import ctk
    import qt

    section, seen = ctk.ctkCollapsibleButton("Inputs"), []
    column = qt.QVBoxLayout(section)
    hidden = qt.QLabel("hidden")
    column.addWidget(hidden)
    hidden.visible = False
    section.connect("contentsCollapsed(bool)", seen.append)
    section.collapsed = True
    section.collapsed = False
    assert seen == [True, False]
    assert hidden.isHidden()
