"""The way through both modules as a user goes it, by their widgets alone: for a test, and for the pictures of docs/.

>>> story = Story(root)
>>> story.load_sample("Explant 12 weeks with truth")
>>> story.segment()
>>> story.register()
>>> story.measure(weeks=12)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import host

PATIENCE_S = 600


class Story:
    """Both modules on the host.

    Parameters
    ----------
    root : Path
        Folder of the project.
    """

    def __init__(self, root: Path) -> None:
        host.start()
        self.seg = host.load(root / "ImplantSeg" / "ImplantSeg.py")
        self.quant = host.load(root / "ImplantSegQuant" / "ImplantSegQuant.py")

    def show(self, module: Any) -> None:
        """Choose a module in Slicer's list of modules."""
        import slicer

        slicer.util.selectModule(module.moduleName)
        self.settle(module)

    def load_sample(self, name: str) -> None:
        """Press the button of a sample in the module Sample Data; wait until its nodes are there."""
        import SampleData
        import slicer

        known = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
        SampleData.press(name)
        host.wait(lambda: len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) > known, PATIENCE_S)
        host.process(300)

    def choose_scan(self) -> None:
        """Choose the only scan of the scene; wait until its estimate is there."""
        import slicer

        self.show(self.seg)
        scans = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        self.choose(
            self.seg, "volumeSelector", next(scan for scan in scans if not scan.IsA("vtkMRMLLabelMapVolumeNode"))
        )
        host.wait(lambda: "About" in widget(self.seg, "estimateLabel").text, PATIENCE_S)

    def segment(self) -> None:
        """Segment the only scan of the scene with the model that comes with the program."""
        self.choose_scan()
        self.press(self.seg, "applyButton")

    def choose_sample(self, weeks: float) -> None:
        """Fill in the form of ImplantSeg Quantification: the new segmentation, the reference, the truth."""
        import slicer

        self.show(self.quant)
        truth, found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[:2]
        self.choose(self.quant, "segmentationSelector", found)
        self.choose(self.quant, "truthSelector", truth)
        self.choose(self.quant, "referenceSegmentationSelector", slicer.util.getNode("*reference screw"))
        widget(self.quant, "weeksSpinBox").value = weeks

    def register(self) -> None:
        """Find the pose of the reference and accept it."""
        self.press(self.quant, "registerButton")
        self.press(self.quant, "acceptButton")

    def measure(self) -> None:
        """Measure."""
        self.press(self.quant, "applyButton")

    @staticmethod
    def choose(module: Any, selector: str, node: Any) -> None:
        """Choose a node in a list of nodes."""
        widget(module, selector).setCurrentNode(node)

    @staticmethod
    def start(module: Any, button: str) -> None:
        """Press a button as soon as it can be pressed."""
        host.wait(lambda: widget(module, button).enabled, PATIENCE_S)
        widget(module, button).click()

    def press(self, module: Any, button: str) -> None:
        """Press a button as soon as it can be pressed, and wait for the end of the run that it starts."""
        self.start(module, button)
        self.settle(module)

    @staticmethod
    def settle(module: Any) -> None:
        """Wait until a module has nothing to do."""
        host.process(300)
        host.wait(lambda: not module.panel.run.runner.running, PATIENCE_S)
        host.process(300)


def section(module: Any, name: str) -> Any:
    """Give the section of a panel that holds the widget of a name."""
    found = [section for section in module.panel.sections if name in vars(section.ui)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} sections of {module.moduleName} have a widget {name}, wanted one")
    return found[0]


def widget(module: Any, name: str) -> Any:
    """Give the widget of a panel that has a name."""
    return vars(section(module, name).ui)[name]
