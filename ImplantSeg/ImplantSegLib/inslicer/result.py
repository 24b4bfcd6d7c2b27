"""The section Result: where the labels go, what else is made, and the run that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import segments
from ImplantSegLib.inslicer.commands import Network, Preparation
from ImplantSegLib.inslicer.input import InputSection, chosen_path, show_no_path
from ImplantSegLib.inslicer.section import Section, sentence, telling
from ImplantSegLib.inslicer.segmenting import Request, Result, Segmenting
from ImplantSegLib.volumes.formats import of_output

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


class ResultSection(Section):
    """What is made; the button Apply makes it."""

    FORM = "ImplantSegResult.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        segments.load_terminology()
        self._table_of: Any = None
        self.ui.editorButton.connect("clicked(bool)", self._on_editor)

    @property
    def path(self) -> Path | None:
        """File that keeps the labels."""
        return chosen_path(self.parameters.outputPath)

    def request(self) -> Request:
        """Give what the forms ask for.

        Raises
        ------
        InputError
            When no scan was chosen.
        """
        parameters = self.parameters
        return Request(
            self.panel.section(InputSection).scan(),
            Preparation.of(parameters),
            Network.of(parameters),
            Result(
                parameters.outputSegmentation,
                self.path,
                parameters.uncertainty,
                parameters.outputUncertainty,
                parameters.surface,
                parameters.resume,
            ),
        )

    def problems(self) -> list[str]:
        """Tell what is wrong with the file for the labels."""
        if self.path is None:
            on_disk = self.panel.section(InputSection).on_disk
            return [_("The scan is on disk: choose a file for the result.")] if on_disk else []
        try:
            of_output(self.path)
        except InputError as error:
            return [sentence(error.message, error.remedy)]
        if not self.path.parent.is_dir():
            return [_("There is no folder {folder}: choose another file.").format(folder=self.path.parent)]
        return []

    def refresh(self) -> None:
        """Show the segments."""
        self.panel.run.on_apply = self.apply  # the section with the button is built after this one
        show_no_path(self.ui.outputPathLineEdit)
        node = self.parameters.outputSegmentation
        if node is not self._table_of:
            self._table_of = node
            self.ui.segmentsTable.setSegmentationNode(node)
        self.ui.segmentsTable.visible = node is not None
        self.ui.editorButton.enabled = node is not None and not self.panel.run.runner.running
        self.ui.uncertaintySelector.enabled = self.parameters.uncertainty
        self.ui.resumeCheckBox.visible = self.path is not None
        self.ui.segmentsLabel.visible = bool(self.ui.segmentsLabel.text)

    def apply(self) -> None:
        """Start the run."""
        work = Segmenting(self.request())
        try:
            steps = work.steps()
        except BaseException:
            work.close()
            raise
        self.ui.segmentsLabel.text = ""
        self.panel.run.start(steps, lambda _: self._load(work), lambda _: work.close())

    def _load(self, work: Segmenting) -> None:
        node, unsure = work.load()
        parameters = self.parameters
        if parameters is not None:  # another module may be shown by now
            self._show(node, unsure)
        elif node is not None:
            stored = self.panel.logic.getParameterNode()
            stored.outputSegmentation = node
            if unsure is not None:
                stored.outputUncertainty = unsure
        for note in work.notes:
            slicer.util.infoDisplay(note)

    def _show(self, node: Any, unsure: Any) -> None:
        if node is not None:
            self.parameters.outputSegmentation = node
            lines = [f"{name}: {volume:.4g} mm³" for name, _voxels, volume in segments.voxels(node)]
            self.ui.segmentsLabel.text = "\n".join(lines)
        if unsure is not None:
            self.parameters.outputUncertainty = unsure
        self.panel.refresh()

    def scene_closed(self) -> None:
        """Forget the numbers of a result that is gone."""
        self.ui.segmentsLabel.text = ""

    def _on_editor(self) -> None:
        with telling(_("The Segment Editor could not be opened.")):
            slicer.util.selectModule("SegmentEditor")
            editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
            editor.setSegmentationNode(self.parameters.outputSegmentation)
            editor.setSourceVolumeNode(self.parameters.inputVolume)
