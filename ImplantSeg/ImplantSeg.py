"""ImplantSeg, a module of 3D Slicer: a form that starts ``implantseg segment`` on a volume of the scene."""

import shutil
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class ImplantSeg(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("ImplantSeg")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The ImplantSeg authors"]
        parent.helpText = _(
            "Segments biodegradable bone implants in synchrotron micro-CT into residual material, degradation layer "
            "and bone. The work is done by the command 'implantseg segment' in a process of its own."
        )
        parent.acknowledgementText = _("Licence: Apache-2.0.")


class ImplantSegWidget(ScriptedLoadableModuleWidget):
    """The form: reads the widgets, starts the run, shows its progress, loads the result."""

    def setup(self):
        """Build the form."""
        super().setup()
        from ImplantSegLib.inslicer.runner import Runner

        form = slicer.util.loadUI(self.resourcePath("UI/ImplantSeg.ui"))
        form.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(form)
        self.ui = slicer.util.childWidgetVariables(form)
        self.logic = ImplantSegLogic()
        self.runner = Runner(self.ui)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)

    def cleanup(self):
        """End a run that is still going when the module goes away."""
        self.runner.close()

    def onApply(self):
        """Hand the chosen volume to a run; load its labels when it is done."""
        with slicer.util.tryWithErrorDisplay(_("The run could not be started.")):
            node = self.ui.inputSelector.currentNode()
            name = f"{node.GetName()} segmentation" if node else ""
            arguments, labels = self.logic.prepare(node, self.ui.modelPath.currentPath, self.ui.deviceCombo.currentText)
            self.runner.start(
                "segment",
                arguments,
                succeeded=lambda: self.logic.load(labels, name),
                ended=lambda: self.logic.discard(labels),
            )


class ImplantSegLogic(ScriptedLoadableModuleLogic):
    """Files for the run and from it; no widgets."""

    def prepare(self, node, model="", device="auto"):
        """Write the volume to a temporary folder; give the arguments of ``segment`` and the path of its labels."""
        from ImplantSegLib.inslicer import commands, mrml

        folder = Path(tempfile.mkdtemp(prefix="ImplantSeg-", dir=slicer.app.temporaryPath))
        labels = folder / "labels.seg.nrrd"
        try:
            image = mrml.save_volume(node, folder / "scan.nrrd")
        except Exception:
            self.discard(labels)
            raise
        return commands.segment(image, labels, model, device), labels

    def load(self, labels, name):
        """Load the labels as a segmentation node with that name."""
        from ImplantSegLib.inslicer import mrml

        return mrml.load_segmentation(labels, name)

    def discard(self, labels):
        """Delete the temporary folder of a run."""
        shutil.rmtree(labels.parent, ignore_errors=True)


class ImplantSegTest(ScriptedLoadableModuleTest):
    """What needs Slicer: a volume of the scene becomes a file and the right arguments."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        """Run every test."""
        self.setUp()
        self.test_a_volume_becomes_a_file_and_arguments()

    def test_a_volume_becomes_a_file_and_arguments(self):
        """The file lies where the arguments say, and is gone after the run."""
        import numpy as np

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
        slicer.util.updateVolumeFromArray(node, np.zeros((4, 5, 6), np.uint16))
        logic = ImplantSegLogic()
        arguments, labels = logic.prepare(node, device="cpu")
        self.assertTrue(arguments[0].is_file())
        self.assertEqual(arguments[1:], [labels, "--device", "cpu"])
        logic.discard(labels)
        self.assertFalse(labels.parent.exists())
