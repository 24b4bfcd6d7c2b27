"""The section that finds the pose of the reference, shows how well it fits, and lets it be moved by hand."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from ImplantSegQuantLib.inslicer import by_hand, grade, names, pose, samples
from ImplantSegQuantLib.inslicer.choice import Choice
from ImplantSegQuantLib.inslicer.form import QuantSection
from ImplantSegQuantLib.inslicer.measuring import Registering
from ImplantSegQuantLib.inslicer.sample_section import SampleSection


class RegistrationSection(QuantSection):
    """Pose of the sample that is chosen above."""

    FORM = "ImplantSegQuantRegistration.ui"

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        for button, action in (
            (self.ui.registerButton, self._register),
            (self.ui.acceptButton, self._accept),
            (self.ui.redoButton, self._redo),
            (self.ui.adjustButton, self._adjust),
            (self.ui.refineButton, self._refine),
            (self.ui.takeButton, self._take),
        ):
            button.connect("clicked(bool)", self._shown(action))
        self.ui.referenceCheckBox.connect("toggled(bool)", self._show_reference)
        self.ui.legendCheckBox.connect("toggled(bool)", self._show_legend)

    @property
    def choice(self) -> Choice:
        """What is chosen above."""
        return self.panel.section(SampleSection).choice()

    def pose(self) -> Any:
        """Give the transform of the chosen sample, or None."""
        return samples.find(self.choice.title, names.POSE) if self.choice.title else None

    def accepted(self) -> Any:
        """Give the pose to measure in, or None where it is to be found while measuring."""
        node = self.pose()
        return node if node is not None and node.GetAttribute(names.ACCEPTED) and not self._outdated(node) else None

    def refresh(self) -> None:
        """Show the state of the pose and what can be done with it."""
        problems, running = self.choice.problems(measure=False), self.panel.run.runner.running
        node = self.pose()
        usable = not problems and not running
        outdated = node is not None and not problems and self._outdated(node)
        adjusting = node is not None and pose.handles_shown(node)
        self.ui.stateLabel.text = _state(node, outdated)
        self.ui.registerButton.enabled = usable and node is None
        self.ui.registerButton.toolTip = "\n".join(problems) or _(
            "Find the pose of the reference in the segmentation, from any position"
        )
        for button, possible in (
            (self.ui.redoButton, node is not None),
            (self.ui.acceptButton, node is not None and not outdated and not node.GetAttribute(names.ACCEPTED)),
            (self.ui.adjustButton, True),
            (self.ui.refineButton, adjusting),
            (self.ui.takeButton, adjusting),
        ):
            button.enabled = usable and possible
        self.ui.adjustButton.checked = adjusting
        self._refresh_view()

    def _refresh_view(self) -> None:
        model = samples.find(self.choice.title, names.REFERENCE) if self.choice.title else None
        legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(model) if model is not None else None
        for box, display in (
            (self.ui.referenceCheckBox, model and model.GetDisplayNode()),
            (self.ui.legendCheckBox, legend),
        ):
            blocked = box.blockSignals(True)
            box.enabled = display is not None
            box.checked = display is not None and bool(display.GetVisibility())
            box.blockSignals(blocked)

    def _outdated(self, node: Any) -> bool:
        return node.GetAttribute(names.INPUTS) != self.choice.inputs()

    def _shown(self, action: Any) -> Any:
        def slot() -> None:
            with slicer.util.tryWithErrorDisplay(_("That did not work.")):
                action()
            self.panel.refresh()

        return slot

    def _register(self) -> None:
        self._start(Registering(self.choice))

    def _redo(self) -> None:
        samples.forget(self.choice.title, names.POSE, names.REFERENCE)
        self._register()

    def _refine(self) -> None:
        node = self.pose()
        pose.show_handles(node, False)
        self._start(Registering(self.choice, node))

    def _start(self, task: Registering) -> None:
        self.panel.run.start(task.steps, task.load, lambda failure: self._ended(task, failure))

    def _ended(self, task: Registering, failure: Any) -> None:
        task.end(failure)
        self.panel.refresh()

    def _accept(self) -> None:
        self.pose().SetAttribute(names.ACCEPTED, "yes")

    def _adjust(self) -> None:
        node = by_hand.start(self.choice, self.pose())
        pose.show_handles(node, not pose.handles_shown(node))

    def _take(self) -> None:
        node = self.pose()
        pose.show_handles(node, False)
        pose.set_quality(node, {})
        node.SetAttribute(names.INPUTS, self.choice.inputs())
        self._accept()

    def _show_reference(self, shown: bool) -> None:
        samples.find(self.choice.title, names.REFERENCE).GetDisplayNode().SetVisibility(shown)

    def _show_legend(self, shown: bool) -> None:
        model = samples.find(self.choice.title, names.REFERENCE)
        slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(model).SetVisibility(shown)


def _state(node: Any, outdated: bool) -> str:
    if node is None:
        return _("Not registered: Measure finds the pose by itself.")
    if outdated:
        return _("This pose belongs to another segmentation, reference or position of them: redo it.")
    if pose.handles_shown(node):
        return _("Move and turn the reference by its handles, then refine or take the pose.")
    used = _("Accepted: Measure uses this pose.") if node.GetAttribute(names.ACCEPTED) else _("Accept it, or redo it.")
    return f"{grade.text(pose.quality(node))}<br>{used}"
