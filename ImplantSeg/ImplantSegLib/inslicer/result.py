"""The section Result: where the labels go, what else is made, and the run that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import preview, segments, temporary
from ImplantSegLib.inslicer.commands import Network, Preparation
from ImplantSegLib.inslicer.input import InputSection, chosen_path, show_no_path
from ImplantSegLib.inslicer.section import Section, sentence, telling
from ImplantSegLib.inslicer.segmenting import Request, Result, Segmenting
from ImplantSegLib.volumes.formats import of_output

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


RESULT_OF = "ImplantSeg.resultOf"
"""Attribute of a result: the file or the id of the volume that it was made from."""


class ResultSection(Section):
    """What is made; the button Apply makes it."""

    FORM = "ImplantSegResult.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        segments.load_terminology()
        self._table_of: Any = None
        self._scan = ""
        self._written: dict[Path, str] = {}
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
        self._part_with_other_scans()
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

    def _identity(self) -> str:
        """Which scan is chosen; empty where none is that can be segmented."""
        try:
            scan = self.panel.section(InputSection).scan()
            scan.check()
        except InputError:
            return ""
        return scan.identity

    def _part_with_other_scans(self) -> None:
        """When another scan is chosen, its result shall not replace that of the one before."""
        identity = self._identity()
        before, self._scan = self._scan, identity or self._scan
        if not identity or before in ("", identity):
            return
        self.ui.segmentsLabel.text = ""
        for name in ("outputSegmentation", "outputUncertainty"):
            node = getattr(self.parameters, name)
            if node is not None and node.GetAttribute(RESULT_OF) not in (None, identity):
                setattr(self.parameters, name, None)

    def _may_write(self, request: Request) -> bool:
        """Ask before a file is replaced that was not made here from the same scan."""
        path = request.result.path
        if path is None or not path.exists() or self._written.get(path) == request.scan.identity:
            return True
        return bool(slicer.util.confirmOkCancelDisplay(_("{path} is there already. Replace it?").format(path=path)))

    def apply(self) -> None:
        """Start the run."""
        request = self.request()
        if not self._may_write(request):
            return
        work = Segmenting(request)
        self.ui.segmentsLabel.text = ""
        identity = request.scan.identity  # a node that is removed meanwhile has none any more
        temporary.start(self.panel.run, work.steps, lambda _: self._load(work, identity), work.close)

    def _load(self, work: Segmenting, identity: str) -> None:
        node, unsure = work.load()
        if work.request.result.path is not None:
            self._written[work.request.result.path] = identity
        for one in filter(None, (node, unsure)):
            one.SetAttribute(RESULT_OF, identity)
        if self.parameters is not None:  # another module may be shown by now
            if self._identity() in ("", identity):  # what is chosen by now gets a result of its own
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
        self._scan = ""
        self.ui.segmentsLabel.text = ""

    def _on_editor(self) -> None:
        with telling(_("The Segment Editor could not be opened.")):
            node, scan = self.parameters.outputSegmentation, self._shown_scan()
            slicer.util.selectModule("SegmentEditor")  # with which this panel is left, and has no parameters any more
            editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
            editor.setSegmentationNode(node)
            editor.setSourceVolumeNode(scan)

    def _shown_scan(self) -> Any:
        """Give the volume that shows the scan: itself, or its preview where it is on disk."""
        source = self.panel.section(InputSection)
        return preview.preview_of(str(source.path)) if source.on_disk else self.parameters.inputVolume
