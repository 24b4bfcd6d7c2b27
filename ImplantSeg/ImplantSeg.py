"""ImplantSeg, a module of 3D Slicer: forms that start ``implantseg`` on scans, and load what it gives."""

import enum
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import slicer
from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper
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
            "and bone. The work is done by the command 'implantseg' in a process of its own: Slicer stays usable, and "
            "the same command runs on a cluster. "
            '<a href="https://github.com/ImplantSeg/SlicerImplantSeg#in-3d-slicer">Documentation</a>'
        )
        parent.acknowledgementText = _(
            "The task, its classes and the networks are those of: Lopes Marinho A, Kazimi B, Ćwieka H, Marek R, "
            "Beckmann F, Willumeit-Römer R, Moosmann J and Zeller-Plumhoff B (2024) A comparison of deep learning "
            "segmentation models for synchrotron radiation based tomograms of biodegradable bone implants. "
            "<i>Front. Phys.</i> 12:1257512. "
            '<a href="https://doi.org/10.3389/fphy.2024.1257512">doi: 10.3389/fphy.2024.1257512</a>. '
            "Licence: Apache-2.0."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Offer the phantom in the module Sample Data, once Slicer has all modules."""
    from ImplantSegLib.inslicer import sampledata

    sampledata.register()


class Source(enum.Enum):
    """Where the scan is."""

    SCENE = "scene"
    DISK = "disk"

    def label(self):
        """Text in the form."""
        return {Source.SCENE: _("a volume of the scene"), Source.DISK: _("a file or folder on disk")}[self]


class Device(enum.Enum):
    """Where the network runs."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"

    def label(self):
        """Text in the form."""
        return {Device.AUTO: _("GPU where there is one, else CPU"), Device.CUDA: "GPU (CUDA)", Device.CPU: "CPU"}[self]


@parameterNodeWrapper
class ImplantSegParameterNode:
    """Everything that the user chooses; it is saved with the scene."""

    # the scan
    source: Source = Source.SCENE
    inputVolume: vtkMRMLScalarVolumeNode
    inputPath: Path
    voxelSizeUm: Annotated[float, WithinRange(0, 1000)] = 0.0  # 0: as the scan says
    cropRoi: vtkMRMLMarkupsROINode
    # preprocessing
    binning: Annotated[int, WithinRange(1, 16)] = 1
    denoise: bool = False
    denoiseStrength: Annotated[float, WithinRange(0.1, 5)] = 1.0
    scaleByPercentiles: bool = False  # else the model scales the grey values itself
    lowPercent: Annotated[float, WithinRange(0, 50)] = 0.1
    highPercent: Annotated[float, WithinRange(50, 100)] = 99.9
    # the model
    model: str = "compact_unet"
    device: Device = Device.AUTO
    mirror: bool = False
    across: Annotated[float, WithinRange(0, 5)] = 1.0
    memoryGib: Annotated[float, Minimum(0)] = 0.0  # 0: half of what is free
    # the result
    outputSegmentation: vtkMRMLSegmentationNode
    outputPath: Path
    resume: bool = True
    uncertainty: bool = False
    outputUncertainty: vtkMRMLScalarVolumeNode
    surface: bool = False
    # many scans
    batchTable: vtkMRMLTableNode
    batchFolder: Path
    # training data
    trainingTable: vtkMRMLTableNode
    trainingFolder: Path
    trainingRecipe: str = "compact_unet"


class ImplantSegWidget(ScriptedLoadableModuleWidget):
    """The panel: all that it does is in its sections."""

    def setup(self):
        """Build the panel."""
        super().setup()
        from ImplantSegLib.inslicer.panel import Panel
        from ImplantSegLib.inslicer.sections import SECTIONS

        self.logic = ImplantSegLogic()
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
        """Read the library again too, which Slicer's developer mode leaves as it was."""
        self.panel.close()
        for name in [name for name in sys.modules if name.partition(".")[0] in ("ImplantSegLib", "ImplantSegQuantLib")]:
            del sys.modules[name]
        super().onReload()
        # Slicer sets the new panel up, but does not enter it, though it is the one that is shown
        getattr(slicer.modules, f"{self.moduleName}Widget").enter()


class ImplantSegLogic(ScriptedLoadableModuleLogic):
    """Segmentation of a volume for scripts and tests: no widgets."""

    def getParameterNode(self):
        """Give the parameters of the module."""
        return ImplantSegParameterNode(super().getParameterNode())

    def segment(self, volumeNode=None, **options):
        """Segment a scan and wait for the result.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode, optional
            The scan; left out where ``path`` names a file or folder on disk.
        **options
            ``path``, ``voxel_size_um``, ``roi``, ``binning``, ``denoise_strength``, ``percentiles``, ``model``,
            ``device``, ``mirror``, ``across``, ``memory_gib``, ``segmentation`` (a node to fill), ``output_path``,
            ``uncertainty``, ``uncertainty_volume``, ``surface``: the fields of the classes in
            ``ImplantSegLib.inslicer.segmenting`` and ``commands``, where they are explained.

        Returns
        -------
        vtkMRMLSegmentationNode
            The segmentation, on the scan.
        """
        from ImplantSegLib.inslicer import segmenting

        return segmenting.segment(segmenting.Request.of(volumeNode, **options))


def temporary():
    """Files and folders of this module in Slicer's temporary folder."""
    return set(Path(slicer.app.temporaryPath).glob("ImplantSeg-*"))


class ImplantSegTest(ScriptedLoadableModuleTest):
    """What needs Slicer: a phantom, made by the program, from a volume in the scene to its segments."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def test_phantom(self):
        """Segment a synthetic explant and compare every class with the truth."""
        import json

        import numpy as np

        from ImplantSegLib.inslicer import blocking, facts, mrml, segments
        from ImplantSegLib.inslicer.runner import Step

        before = temporary()
        if slicer.app.testingEnabled():  # where extensions are built there are none of the packages
            told = json.loads(blocking.run([Step("environment", "environment", ["--json"])]))
            if facts.problems(told):
                self.skipTest(" ".join(facts.problems(told)))
        self.delayDisplay("Making a phantom")
        with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as folder:
            # 16 slices of 4.8 mm, which hold the whole screw of 3.5 mm
            options = ("--shape", "16,240,240", "--spacing-um", "20", "--supersampling", "1")
            blocking.run([Step("phantom", "phantom", [folder, *options])])
            scan = mrml.load_volume(Path(folder) / "image.nrrd", "phantom")
            truth = mrml.load_segmentation(Path(folder) / "labels.seg.nrrd", "truth")
            self.delayDisplay("Segmenting it")
            found = ImplantSegLogic().segment(scan, device="cpu")
        self.assertEqual(found.GetName(), "phantom segmentation")
        self.assertEqual(found.GetSegmentation().GetNumberOfLayers(), 1)
        for identity, least in (("residual_material", 0.9), ("degradation_layer", 0.6), ("bone", 0.85)):
            one, other = (segments.mask(node, identity) for node in (found, truth))
            overlap = np.count_nonzero(one & other) / np.count_nonzero(one | other)
            self.assertGreater(overlap, least, f"{identity}: intersection over union")
        self.assertEqual(temporary() - before, set())

    def test_refusals(self):
        """Refuse what is no scan, in a sentence."""
        from ImplantSegLib.errors import InputError

        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        for node in (None, labels):
            with self.assertRaises(InputError):
                ImplantSegLogic().segment(node)
