"""Loading of scripted modules: panels, forms, reload, leaving, and what a form may not say."""

import pytest

MODULE = """
import slicer
from slicer.ScriptedLoadableModule import *

calls = []

class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "Tiny"
        slicer.app.connect("startupCompleted()", lambda: calls.append("started"))

class TinyWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        form = slicer.util.loadUI(self.resourcePath("UI/Tiny.ui"))
        self.layout.addWidget(form)
        self.ui = slicer.util.childWidgetVariables(form)
        form.setMRMLScene(slicer.mrmlScene)
        calls.append("setup")

    def enter(self):
        calls.append("enter")

    def exit(self):
        calls.append("exit")

    def cleanup(self):
        calls.append("cleanup")

class TinyTest(ScriptedLoadableModuleTest):
    def test_first(self):
        calls.append("tested")
"""

FORM = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Tiny</class>
 <widget class="qMRMLWidget" name="Tiny">
  <layout class="QVBoxLayout" name="column">
   <item>
    <widget class="ctkCollapsibleButton" name="section">
     <property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout" name="rows">
      <item row="0" column="0">
       <widget class="QLabel" name="label"><property name="text"><string>Scan:</string></property></widget>
      </item>
      <item row="0" column="1">
       <widget class="qMRMLNodeComboBox" name="scan">
        <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
        <property name="SlicerParameterName" stdset="0"><string>scan</string></property>
       </widget>
      </item>
      <item row="1" column="1">
       <widget class="ctkPathLineEdit" name="path">
        <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable</set></property>
       </widget>
      </item>
     </layout>
    </widget>
   </item>
   <item>
    <widget class="QPushButton" name="apply"><property name="text"><string>Apply</string></property></widget>
   </item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Tiny</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>scan</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
 </connections>
</ui>
"""


@pytest.fixture
def write(tmp_path):
    """Write the tiny module with a form."""

    def write(form=FORM, name="Tiny"):
        (tmp_path / "Resources" / "UI").mkdir(parents=True, exist_ok=True)
        (tmp_path / "Resources" / "UI" / "Tiny.ui").write_text(form, encoding="utf-8")
        path = tmp_path / f"{name}.py"
        path.write_text(MODULE.replace("class Tiny", f"class {name}"), encoding="utf-8")
        return path

    return write


def calls(widget):
    import sys

    return sys.modules[type(widget).__module__].calls


def test_a_module_is_set_up_shown_left_and_cleaned_up(host, write):
    import slicer

    widget = host.load(write())
    known = calls(widget)
    assert known == ["started", "setup", "enter"]
    assert slicer.modules.tiny.title == "Tiny"
    assert slicer.modules.TinyWidget is slicer.util.getModuleWidget("Tiny") is widget
    assert widget.ui.scan.mrmlScene() is slicer.mrmlScene
    assert widget.ui.path.filters == 0x21
    host.unload()
    assert known == ["started", "setup", "enter", "exit", "cleanup"]
    assert not hasattr(slicer.modules, "tiny")


def test_one_module_is_shown_at_a_time(host, write):
    import slicer

    one, two = host.load(write(name="One")), host.load(write(name="Two"))
    assert calls(one)[-1] == "exit"
    slicer.util.selectModule("One")
    assert (calls(one)[-1], calls(two)[-1]) == ("enter", "exit")
    assert slicer.util.selectedModule() == "One"


def test_reload_builds_the_panel_anew(host, write):
    import slicer

    widget = host.load(write())
    known = calls(widget)
    widget.onReload()
    assert known[-1] == "cleanup"
    assert slicer.modules.TinyWidget is not widget
    slicer.modules.TinyWidget.ui.apply.click()


def test_the_self_test_runs(host, write):
    import slicer

    widget = host.load(write())
    slicer.modules.TinyInstance.runTest()
    assert calls(widget)[-1] == "tested"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('name="nodeTypes"', 'name="nodeType"', "no property 'nodeType'"),
        ('class="ctkPathLineEdit"', 'class="ctkPathEdit"', "no stand-in for the class ctkPathEdit"),
        ("mrmlSceneChanged(vtkMRMLScene*)", "sceneChanged(vtkMRMLScene*)", "signal 'sceneChanged"),
        ("<receiver>scan<", "<receiver>skan<", "receiver skan"),
        ("setMRMLScene(", "setScene(", "setScene"),
        ("ctkPathLineEdit::Dirs", "ctkPathLineEdit::Folders", "Folders"),
    ],
)
def test_mistakes_of_forms_are_refused(host, write, right, wrong, message):
    form = FORM.replace(right, wrong)
    assert form != FORM
    with pytest.raises((AttributeError, RuntimeError), match=message):
        host.load(write(form))


def test_panels_are_photographed_at_their_natural_height(host, write, tmp_path):
    import qt

    widget = host.load(write())
    heights = []
    for collapsed in (False, True):
        widget.ui.section.collapsed = collapsed
        picture = qt.QImage(str(host.screenshot(widget, tmp_path / "panel.png", width=300)))
        assert picture.width() == 300
        heights.append(picture.height())
    assert 60 < heights[1] < heights[0] - 40
