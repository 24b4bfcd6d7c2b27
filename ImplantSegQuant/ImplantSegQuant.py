"""ImplantSegQuant, a module of 3D Slicer: a form that starts ``implantseg quantify`` on a segmentation of the scene."""

import shutil
import tempfile
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class ImplantSegQuant(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("ImplantSeg Quantification")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = ["ImplantSeg"]
        parent.contributors = ["The ImplantSeg authors"]
        parent.helpText = _(
            "Measures degradation and osseointegration of a segmented implant: degradation rate, bone-implant contact, "
            "bone volume fraction. The work is done by the command 'implantseg quantify' in a process of its own."
        )
        parent.acknowledgementText = _("Licence: Apache-2.0.")


class ImplantSegQuantWidget(ScriptedLoadableModuleWidget):
    """The form: reads the widgets, starts the run, shows its progress, loads the table and opens the report."""

    def setup(self):
        """Build the form."""
        super().setup()
        from ImplantSegLib.inslicer.runner import Runner

        form = slicer.util.loadUI(self.resourcePath("UI/ImplantSegQuant.ui"))
        form.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(form)
        self.ui = slicer.util.childWidgetVariables(form)
        self.logic = ImplantSegQuantLogic()
        self.runner = Runner(self.ui)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.ui.reportButton.connect("clicked(bool)", self.onReport)
        self.ui.reportButton.enabled = False
        self.report = None

    def cleanup(self):
        """End a run that is still going when the module goes away."""
        self.runner.close()

    def onApply(self):
        """Hand the chosen segmentation to a run; load its table when it is done."""
        with slicer.util.tryWithErrorDisplay(_("The run could not be started.")):
            node, out = self.ui.segmentationSelector.currentNode(), self.ui.outputPath.currentPath
            arguments = self.logic.prepare(node, self.ui.referencePath.currentPath, self.ui.weeksSpinBox.value, out)
            self.ui.reportButton.enabled = False
            self.runner.start(
                "quantify",
                arguments,
                succeeded=lambda: self.onResults(out),
                ended=lambda: self.logic.discard(arguments),
            )

    def onResults(self, out):
        """Load the table of measurements and offer the report."""
        self.logic.load(out)
        self.report = Path(out) / "report.html"
        self.ui.reportButton.enabled = self.report.is_file()

    def onReport(self):
        """Open the report in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.report)))


class ImplantSegQuantLogic(ScriptedLoadableModuleLogic):
    """Files for the run and from it; no widgets."""

    def prepare(self, node, reference, weeks, out):
        """Write the segmentation to a temporary folder and give the arguments of ``quantify``."""
        from ImplantSegLib.inslicer import commands, mrml

        folder = Path(tempfile.mkdtemp(prefix="ImplantSegQuant-", dir=slicer.app.temporaryPath))
        arguments = [folder / "labels.seg.nrrd"]
        try:
            arguments = commands.quantify(arguments[0], out, reference, weeks)
            mrml.save_segmentation(node, arguments[0])
        except Exception:
            self.discard(arguments)
            raise
        return arguments

    def load(self, out):
        """Load the table of measurements of a results folder."""
        from ImplantSegLib.inslicer import mrml

        return mrml.load_table(Path(out) / "results.csv", "Implant measurements")

    def discard(self, arguments):
        """Delete the temporary folder of a run."""
        shutil.rmtree(arguments[0].parent, ignore_errors=True)


class ImplantSegQuantTest(ScriptedLoadableModuleTest):
    """What needs Slicer: a segmentation of the scene becomes a file and the right arguments."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        """Run every test."""
        self.setUp()
        self.test_a_segmentation_becomes_a_file_and_arguments()

    def test_a_segmentation_becomes_a_file_and_arguments(self):
        """The file lies where the arguments say, and is gone after the run."""
        import numpy as np

        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        slicer.util.updateVolumeFromArray(labels, np.arange(4, dtype=np.uint8).reshape(1, 2, 2).repeat(3, axis=0))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, node)
        logic = ImplantSegQuantLogic()
        arguments = logic.prepare(node, "screw:diameter=3.5,length=16", 12.0, "out")
        self.assertTrue(arguments[0].is_file())
        self.assertEqual(arguments[1:], ["--reference", "screw:diameter=3.5,length=16", "--weeks", "12", "-o", "out"])
        logic.discard(arguments)
        self.assertFalse(arguments[0].parent.exists())
