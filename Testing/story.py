"""The way through both modules as a user goes it, by their widgets alone: for a test, and for the pictures of docs/.

>>> story = Story(root)
>>> story.load_sample("ImplantSegExplantWithTruth")
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

        SampleData.press(name)
        host.wait(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), PATIENCE_S)

    def segment(self) -> None:
        """Segment the only scan of the scene with the model that comes with the program."""
        import slicer

        self.show(self.seg)
        scan = next(
            n for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if not n.IsA("vtkMRMLLabelMapVolumeNode")
        )
        self.choose(self.seg, "volumeSelector", scan)
        self.press(self.seg, "applyButton")

    def choose_sample(self, weeks: float) -> None:
        """Fill in the form of ImplantSeg Quantification: the new segmentation, the reference, the truth."""
        import slicer

        self.show(self.quant)
        truth, found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[:2]
        self.choose(self.quant, "segmentationSelector", found)
        self.choose(self.quant, "truthSelector", truth)
        self.choose(self.quant, "referenceSegmentationSelector", slicer.util.getNode("*reference screw"))
        self.widget(self.quant, "weeksSpinBox").value = weeks

    def register(self) -> None:
        """Find the pose of the reference and accept it."""
        self.press(self.quant, "registerButton")
        self.press(self.quant, "acceptButton")

    def measure(self) -> None:
        """Measure."""
        self.press(self.quant, "applyButton")

    @staticmethod
    def widget(module: Any, name: str) -> Any:
        """Find a widget of a panel by its name."""
        found = [vars(section.ui)[name] for section in module.panel.sections if name in vars(section.ui)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} widgets of {module.moduleName} are named {name}, wanted one")
        return found[0]

    def choose(self, module: Any, selector: str, node: Any) -> None:
        """Choose a node in a list of nodes."""
        self.widget(module, selector).setCurrentNode(node)

    def press(self, module: Any, button: str) -> None:
        """Press a button as soon as it can be pressed, and wait for the end of the run that it starts."""
        widget = self.widget(module, button)
        host.wait(lambda: widget.enabled, PATIENCE_S)
        widget.click()
        self.settle(module)

    @staticmethod
    def settle(module: Any) -> None:
        """Wait until a module has nothing to do."""
        host.process(300)
        host.wait(lambda: not module.panel.run.runner.running, PATIENCE_S)
        host.process(300)
