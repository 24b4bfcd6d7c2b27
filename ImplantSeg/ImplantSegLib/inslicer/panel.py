"""The panel of a module: its sections one below the other, tied to one parameter node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin

from ImplantSegLib.inslicer.run import RunSection
from ImplantSegLib.inslicer.section import Section


class Panel(VTKObservationMixin):
    """Sections, the parameter node that they share, and the run that they lead to.

    Parameters
    ----------
    layout : QLayout
        Where the forms go.
    logic : ScriptedLoadableModuleLogic
        Gives the wrapped parameter node by ``getParameterNode``.
    sections : sequence of Section types
        What is shown, from top to bottom; the section with the run comes where :class:`RunSection` stands.
    """

    def __init__(self, layout: Any, logic: Any, sections: Sequence[type[Section]]) -> None:
        super().__init__()
        self.logic = logic
        self.parameters: Any = None
        self._tags: list[int] = []
        self.sections: list[Section] = []
        for kind in sections:
            section = kind(self)
            self.sections.append(section)
            layout.addWidget(section.form)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_end_close)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_changed)
        self._visible = False

    def section(self, kind: type[Section]) -> Any:
        """Give the section of a kind; ``panel.section(RunSection)``."""
        return next(section for section in self.sections if isinstance(section, kind))

    @property
    def run(self) -> RunSection:
        """The section that runs commands and shows how they go."""
        return self.section(RunSection)

    def enter(self) -> None:
        """Tie the forms to the parameters, because the module is shown."""
        self._visible = True
        self._bind(self.logic.getParameterNode())
        for section in self.sections:
            section.entered()

    def exit(self) -> None:
        """Leave the parameters alone, because another module is shown; a run goes on."""
        self._visible = False
        self._bind(None)

    def close(self) -> None:
        """End everything, because the module goes away."""
        self.exit()
        self.removeObservers()
        for section in self.sections:
            section.close()

    def refresh(self, _caller: Any = None, _event: Any = None) -> None:
        """Show in all sections what follows from the parameters."""
        if self.parameters is not None:
            for section in self.sections:
                section.refresh()

    def problems(self) -> list[str]:
        """Tell why a run cannot start, section by section."""
        return [sentence for section in self.sections for sentence in section.problems()]

    def _bind(self, parameters: Any) -> None:
        if self.parameters is not None:
            for tag in self._tags:
                self.parameters.disconnectGui(tag)
            self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refresh)
        self.parameters, self._tags = parameters, []
        if parameters is not None:
            self._tags = [parameters.connectGui(section.ui) for section in self.sections]
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refresh)
            self.refresh()

    def _on_start_close(self, _caller: Any, _event: Any) -> None:
        # results of a run would go into a scene that is gone
        self._bind(None)
        for section in self.sections:
            section.close()

    def _on_end_close(self, caller: Any, event: Any) -> None:
        self._on_scene_changed(caller, event)
        for section in self.sections:
            section.scene_closed()

    def _on_scene_changed(self, _caller: Any, _event: Any) -> None:
        if self._visible:
            self._bind(self.logic.getParameterNode())
