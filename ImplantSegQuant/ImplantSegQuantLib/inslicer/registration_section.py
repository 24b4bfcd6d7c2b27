"""The section that finds the pose of the reference, shows how well it fits, and lets it be moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from ImplantSegQuantLib.inslicer import by_hand, colours, grade, names, pose, samples
from ImplantSegQuantLib.inslicer.choice import Choice
from ImplantSegQuantLib.inslicer.form import QuantSection, guarded, put
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
            (self.ui.redoButton, self._register),
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

    def _follow_name(self) -> None:
        """Let a pose that was found before the sample got its name go with it."""
        title = self.choice.title
        if not title or self.choice.problems(measure=False) or samples.find(title, names.POSE) is not None:
            return
        for node in samples.nodes(role=names.POSE):
            known_as = node.GetAttribute(names.SAMPLE)
            if not self._outdated(node) and samples.find(known_as, names.RESULTS) is None:
                samples.rename(known_as, title)
                return

    def accepted(self) -> Any:
        """Give the pose to measure in, or None where it is to be found while measuring."""
        node = self.pose()
        return node if node is not None and node.GetAttribute(names.ACCEPTED) and not self._outdated(node) else None

    def problems(self) -> list[str]:
        """Tell that a reference that was moved by hand is neither taken nor refined."""
        node = self.pose() if self.parameters is not None else None
        if node is None or self.choice.problems(measure=False) or self._outdated(node) or not pose.was_moved(node):
            return []
        return [_("The reference was moved by hand: refine from here, take it as it is, or redo.")]

    def refresh(self) -> None:
        """Show the state of the pose and what can be done with it."""
        self._follow_name()
        problems, running = self.choice.problems(measure=False), self.panel.run.runner.running
        node = self.pose()
        outdated = node is not None and not problems and self._outdated(node)
        adjusting = node is not None and pose.handles_shown(node)
        moved = node is not None and pose.was_moved(node)
        self.ui.stateLabel.text = _state(node, outdated, moved)
        self.ui.registerButton.toolTip = "\n".join(problems) or _(
            "Find the pose of the reference in the segmentation, from any position"
        )
        for button, possible in (
            (self.ui.registerButton, node is None),
            (self.ui.redoButton, node is not None),
            (self.ui.acceptButton, not (node is None or outdated or moved or node.GetAttribute(names.ACCEPTED))),
            (self.ui.adjustButton, True),
            (self.ui.refineButton, adjusting or moved),
            (self.ui.takeButton, adjusting or moved),
        ):
            button.enabled = possible and not problems and not running
        self.ui.adjustButton.checked = adjusting
        self._refresh_view()

    def _refresh_view(self) -> None:
        model = self._reference()
        shown = model is not None and bool(model.GetDisplayNode().GetVisibility())
        legend = colours.legend_of(model) if shown else None
        put(self.ui.referenceCheckBox, model is not None, shown)
        put(self.ui.legendCheckBox, legend is not None, legend is not None and bool(legend.GetVisibility()))

    def _reference(self) -> Any:
        return samples.find(self.choice.title, names.REFERENCE) if self.choice.title else None

    def _outdated(self, node: Any) -> bool:
        return bool(node.GetAttribute(names.INPUTS) != self.choice.inputs())

    def _shown(self, action: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            try:
                action()
            finally:
                self.panel.refresh()

        return guarded(act)

    def _register(self) -> None:
        with slicer.util.WaitCursor():
            task = Registering(self.choice)
        self._start(task)

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
        node = self.pose()
        if node is not None and self._outdated(node):
            samples.forget(self.choice.title, names.POSE, names.REFERENCE)
            node = None
        node = by_hand.start(self.choice, node)
        pose.show_handles(node, not pose.handles_shown(node))
        self._reference().GetDisplayNode().SetVisibility(True)
        self._watch(node)

    def _watch(self, node: Any) -> None:
        # the panel must tell that the reference was moved, while it is moved
        self.panel.removeObservers(self._on_moved)
        self.panel.addObserver(node, node.TransformModifiedEvent, self._on_moved)

    def _on_moved(self, _caller: Any, _event: Any) -> None:
        self.panel.refresh()

    def _take(self) -> None:
        node = self.pose()
        pose.show_handles(node, False)
        pose.settle(node, {}, self.choice.inputs())
        self._accept()

    def _show_reference(self, shown: bool) -> None:
        colours.show(self._reference(), shown)
        self._refresh_view()

    def _show_legend(self, shown: bool) -> None:
        colours.legend_of(self._reference()).SetVisibility(shown)


def _state(node: Any, outdated: bool, moved: bool) -> str:
    if node is None:
        return _("Not registered: Measure finds the pose by itself.")
    if outdated:
        return _("This pose belongs to another segmentation, reference or position of them: redo it.")
    if moved:
        return _("The reference was moved by hand: refine from here, or take it as it is.")
    if pose.handles_shown(node):
        return _("Move and turn the reference by its handles, in any view.")
    used = _("Accepted: Measure uses this pose.") if node.GetAttribute(names.ACCEPTED) else _("Accept it, or redo it.")
    return f"{grade.text(pose.quality(node))}<br>{used}"
