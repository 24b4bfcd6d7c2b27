"""ImplantSegQuant, a module of 3D Slicer: forms that start ``implantseg quantify``, and load what it measures."""

import enum
import sys
from pathlib import Path
from typing import Annotated, Union

import slicer
from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLModelNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Minimum, parameterNodeWrapper
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
            "Measures degradation and osseointegration of a segmented biodegradable implant against its reference: "
            "degradation rate, bone-implant contact, bone volume fraction and more, of one sample or of many over the "
            "healing time. The work is done by the command 'implantseg' in a process of its own: Slicer stays usable. "
            '<a href="https://github.com/ImplantSeg/SlicerImplantSeg#in-3d-slicer">Documentation</a>'
        )
        parent.acknowledgementText = _(
            "The measures are those of: Lopes Marinho A, Kazimi B, Ćwieka H, Marek R, Beckmann F, Willumeit-Römer R, "
            "Moosmann J and Zeller-Plumhoff B (2024) A comparison of deep learning segmentation models for synchrotron "
            "radiation based tomograms of biodegradable bone implants. <i>Front. Phys.</i> 12:1257512. "
            '<a href="https://doi.org/10.3389/fphy.2024.1257512">doi: 10.3389/fphy.2024.1257512</a>. '
            "Licence: Apache-2.0."
        )


class ReferenceKind(enum.Enum):
    """Where the shape of the screw before it degraded is known from."""

    SEGMENTATION = "segmentation"
    MODEL = "model"
    FILE = "file"
    SCREW = "screw"

    def label(self):
        """Text in the form."""
        return {
            ReferenceKind.SEGMENTATION: _("a segmentation or label volume of the scene"),
            ReferenceKind.MODEL: _("a model of the scene"),
            ReferenceKind.FILE: _("a file on disk"),
            ReferenceKind.SCREW: _("a screw by its numbers"),
        }[self]


class FovKind(enum.Enum):
    """Where the scan holds measured voxels."""

    AUTO = "auto"
    BOX = "box"
    CIRCLE = "circle"
    MASK = "mask"

    def label(self):
        """Text in the form."""
        return {
            FovKind.AUTO: _("as the scan tells"),
            FovKind.BOX: _("the whole box"),
            FovKind.CIRCLE: _("a circle in every slice"),
            FovKind.MASK: _("a mask"),
        }[self]


Millimetres = Annotated[float, Minimum(0)]
Labels = Union[vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007 - as parameterNodeWrapper knows it
Mask = Union[vtkMRMLSegmentationNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007


@parameterNodeWrapper
class ImplantSegQuantParameterNode:
    """Everything that the user chooses; it is saved with the scene."""

    # the sample
    segmentation: vtkMRMLSegmentationNode
    weeks: Annotated[float, Minimum(0)] = 0.0  # 0: not told yet
    truth: vtkMRMLSegmentationNode
    scan: vtkMRMLScalarVolumeNode
    sampleName: str
    studyFolder: Path
    # the screw before it degraded
    referenceKind: ReferenceKind = ReferenceKind.SEGMENTATION
    referenceSegmentation: Labels
    referenceModel: vtkMRMLModelNode
    referencePath: Path
    screwDiameterMm: Millimetres = 3.5
    screwLengthMm: Millimetres = 16.0
    screwThreadDepthMm: Millimetres = 0.5
    screwPitchMm: Millimetres = 1.25
    screwCrestMm: Millimetres = 0.15
    screwLeadMm: Millimetres = 0.2
    screwRootMm: Millimetres = 0.45
    screwHeadDiameterMm: Millimetres = 5.0
    screwHeadHeightMm: Millimetres = 2.2
    screwSocketMm: Millimetres = 2.5
    screwSocketDepthMm: Millimetres = 1.2
    screwTipMm: Millimetres = 1.8
    # how it is measured
    roiMm: Millimetres = 1.0
    fovKind: FovKind = FovKind.AUTO
    circleY: float = 0.0
    circleX: float = 0.0
    circleRadius: float = 0.0
    fovMask: Mask
    probabilitiesPath: Path
    # what is shown
    shownResults: vtkMRMLTableNode
    chartMeasure: str = "degradation_rate"


class ImplantSegQuantWidget(ScriptedLoadableModuleWidget):
    """The panel: all that it does is in its sections."""

    def setup(self):
        """Build the panel."""
        super().setup()
        from ImplantSegLib.inslicer.panel import Panel
        from ImplantSegQuantLib.inslicer.sections import SECTIONS

        self.logic = ImplantSegQuantLogic()
        self.panel = Panel(self.layout, self.logic, SECTIONS)
        self.layout.addStretch(1)

    def enter(self):
        """Tie the forms to the parameters."""
        self.panel.enter()

    def exit(self):
        """Leave the parameters alone while another module is shown."""
        self.panel.exit()

    def cleanup(self):
        """End a run that is still going when the module goes away."""
        self.panel.close()

    def onReload(self):
        """Read the libraries again too, which Slicer's developer mode leaves as they were."""
        self.panel.close()
        for name in [name for name in sys.modules if name.partition(".")[0] in ("ImplantSegLib", "ImplantSegQuantLib")]:
            del sys.modules[name]
        super().onReload()
        # Slicer sets the new panel up, but does not enter it, though it is the one that is shown
        getattr(slicer.modules, f"{self.moduleName}Widget").enter()


class ImplantSegQuantLogic(ScriptedLoadableModuleLogic):
    """Measurement of a segmentation for scripts and tests: no widgets."""

    def getParameterNode(self):
        """Give the parameters of the module."""
        return ImplantSegQuantParameterNode(super().getParameterNode())

    def quantify(self, segmentationNode, reference, weeks, poseNode=None, **options):
        """Measure a sample, and wait for the result.

        Parameters
        ----------
        segmentationNode : vtkMRMLSegmentationNode
            Segments residual material, degradation layer and bone, found by id, name or terminology.
        reference : node, pathlib.Path or str
            The screw before it degraded: segmentation, label volume or model, file, or ``screw:diameter=3.5``.
        weeks : float
            Healing time.
        poseNode : vtkMRMLLinearTransformNode, optional
            Moves the reference to where it lies in the scan; found by registration when it is not given.
        **options
            ``truth`` and ``scan`` (nodes), ``roi_mm``, ``fov`` (text or node), ``name`` of the sample,
            ``probabilities`` (pathlib.Path, for confidence intervals), ``study`` (pathlib.Path, the folder in which
            the folder of the results is made).

        Returns
        -------
        vtkMRMLTableNode
            The measures; ROI, contact, reference and pose lie in the same folder of the subject hierarchy.

        Raises
        ------
        ImplantSegLib.errors.InputError
            When it cannot be measured, with the reason and what to do.
        """
        from ImplantSegLib.errors import InputError
        from ImplantSegLib.inslicer import blocking
        from ImplantSegQuantLib.inslicer.choice import Choice
        from ImplantSegQuantLib.inslicer.measuring import Measuring

        choice = Choice(segmentationNode, reference, weeks, **options)
        problems = choice.problems()
        if problems:
            raise InputError("\n".join(problems))
        task = Measuring(choice, poseNode)
        try:
            return task.load(blocking.run(task.steps))
        finally:
            task.end()


class ImplantSegQuantTest(ScriptedLoadableModuleTest):
    """What needs Slicer: a phantom measured end to end; the libraries have tests of their own."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        """Run every test."""
        self.setUp()
        self.test_a_phantom_is_measured()

    def test_a_phantom_is_measured(self):
        """A child process makes a small phantom, another measures it; the table is near the phantom's truth."""
        import json
        import tempfile

        from ImplantSegLib.inslicer import blocking, facts
        from ImplantSegLib.inslicer.runner import Step
        from ImplantSegQuantLib.inslicer import names, samples

        if slicer.app.testingEnabled():  # where extensions are built there are none of the packages
            told = json.loads(blocking.run([Step("environment", "environment", ["--json"])]))
            if facts.missing(told):
                self.skipTest(f"packages are missing: {', '.join(facts.missing(told))}")
        self.delayDisplay("Making a phantom")
        with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as folder:
            small = ["--seed", "3", "--shape", "32,44,44", "--spacing-um", "100", "--weeks", "12"]
            blocking.run([Step("Phantom", "phantom", [folder, *small])])
            truth = json.loads((Path(folder) / "truth.json").read_text(encoding="utf-8"))["measurements"]
            node = slicer.util.loadSegmentation(str(Path(folder) / "labels.seg.nrrd"))
            self.delayDisplay("Measuring it")
            table = ImplantSegQuantLogic().quantify(node, "screw", 12.0, name="phantom")
        measured = samples.result(table)["measurements"]
        for name in ("initial_volume", "residual_volume", "degradation_rate_unbiased", "bone_volume_fraction"):
            self.assertAlmostEqual(measured[name]["value"] / truth[name]["value"], 1, delta=0.05, msg=name)
        for role in (names.ROI, names.CONTACT, names.REFERENCE, names.POSE):
            self.assertIsNotNone(samples.find("phantom", role), role)
