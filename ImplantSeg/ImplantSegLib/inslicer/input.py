"""The section Scan: a loaded volume, or a file or folder on disk; its voxel size, and the region that counts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError, size_text
from ImplantSegLib.inslicer import commands, geometry, preview, temporary
from ImplantSegLib.inslicer.runner import Runner, ask
from ImplantSegLib.inslicer.section import WARNING_STYLE, Section, sentence, telling
from ImplantSegLib.inslicer.segmenting import Scan
from ImplantSegLib.inslicer.worker import Failure

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


class InputSection(Section):
    """What is segmented."""

    FORM = "ImplantSegInput.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.facts: dict[str, Any] = {}
        self._asked: Path | None = None
        self._failure = ""
        self._question: Runner | None = None
        self.ui.inputWarningLabel.styleSheet = WARNING_STYLE
        self.ui.folderButton.connect("clicked(bool)", self._on_folder)
        self.ui.setVoxelSizeButton.connect("clicked(bool)", self._on_set_voxel_size)
        self.ui.fitRoiButton.connect("clicked(bool)", self._on_fit_roi)
        self.ui.loadPreviewButton.connect("clicked(bool)", self._on_load_preview)

    @property
    def on_disk(self) -> bool:
        """Whether the scan is a file or folder."""
        return bool(self.parameters.source.value == "disk")

    @property
    def path(self) -> Path | None:
        """The chosen file or folder."""
        return chosen_path(self.parameters.inputPath)

    def scan(self) -> Scan:
        """Give the scan as it is chosen.

        Raises
        ------
        InputError
            When no file was chosen, or it cannot be read.
        """
        side_um = 0.0 if self.voxel_size_known else self.parameters.voxelSizeUm
        if not self.on_disk:
            return Scan(volume=self.parameters.inputVolume, voxel_size_um=side_um, roi=self.parameters.cropRoi)
        if self.path is None:
            raise InputError("no scan was chosen", "choose a file or a folder")
        if self._failure:
            raise InputError(self._failure)
        if not self.facts:
            raise InputError("the header of the scan is being read", "wait a moment")
        return Scan(None, self.path, self.facts, side_um, self.parameters.cropRoi)

    @property
    def voxel_size_known(self) -> bool:
        """Whether the scan says how large its voxels are; true where there is no scan."""
        if self.on_disk:
            return bool(self.facts.get("voxel_size_known", True))
        volume = self.parameters.inputVolume
        return volume is None or geometry.voxel_size_known(volume)

    @property
    def voxel_size_told(self) -> bool:
        """Whether the scan or the user says how large the voxels are; true where there is no scan."""
        return self.voxel_size_known or self.parameters.voxelSizeUm > 0

    def problems(self) -> list[str]:
        """Tell what is wrong with the scan or the region."""
        try:
            scan = self.scan()
            scan.check()
            scan.crop()
        except InputError as error:
            return [sentence(error.message, error.remedy)]
        return []

    def refresh(self) -> None:
        """Show what the scan is."""
        disk = self.on_disk
        for widget in (self.ui.volumeSelector, self.ui.volumeSelectorLabel):
            widget.visible = not disk
        for widget in (
            self.ui.pathLineEdit,
            self.ui.pathLineEditLabel,
            self.ui.folderButton,
            self.ui.loadPreviewButton,
        ):
            widget.visible = disk
        show_no_path(self.ui.pathLineEdit)
        if disk:
            self._ask()
        self._show_facts()

    def _show_facts(self) -> None:
        known = self.voxel_size_known
        for widget in (self.ui.voxelSizeSpinBox, self.ui.voxelSizeSpinBoxLabel):
            widget.visible = not known
        self.ui.setVoxelSizeButton.visible = not known and not self.on_disk
        self.ui.setVoxelSizeButton.enabled = self.parameters.voxelSizeUm > 0
        self.ui.fitRoiButton.enabled = self.parameters.cropRoi is not None
        self.ui.loadPreviewButton.enabled = bool(self.facts) and not self.panel.run.runner.running
        self.ui.factsLabel.text = self._text()
        self.ui.factsLabel.visible = bool(self.ui.factsLabel.text)
        self.ui.inputWarningLabel.text = self._warning(known)
        self.ui.inputWarningLabel.visible = bool(self.ui.inputWarningLabel.text)

    def _text(self) -> str:
        if self.on_disk:
            return text_of(self.facts, self._side_um()) if self.facts else ""
        volume = self.parameters.inputVolume
        if volume is None or volume.GetImageData() is None:
            return ""
        shape, image = geometry.shape(volume), volume.GetImageData()
        return text_of(
            {
                "shape": shape,
                "bytes": math.prod(shape) * image.GetScalarSize() * image.GetNumberOfScalarComponents(),
                "voxel_size_um": geometry.voxel_size_um(volume),
                "dtype": str(slicer.util.arrayFromVolume(volume).dtype),
            },
            self._side_um(),
        )

    def _side_um(self) -> float | None:
        """Side of a voxel that was entered, 0 where it still has to be; ``None`` where the scan says it."""
        return None if self.voxel_size_known else float(self.parameters.voxelSizeUm)

    def _warning(self, known: bool) -> str:
        if self.on_disk and self._failure:
            return self._failure
        if known or self.parameters.voxelSizeUm > 0:
            return ""
        return _("The scan does not say how large its voxels are (1 mm is a guess): enter it in µm.")

    # what is on disk

    def _ask(self) -> None:
        """Ask in the background what a file is, once for each that is chosen."""
        if self.path == self._asked:
            return
        self._forget()
        self._asked = self.path
        if self.path is None:
            return
        path = self.path
        self._question = ask(
            "info",
            commands.info(path),
            lambda output: self._told(path, json.loads(output), ""),
            lambda failure: self._failed(path, failure),
        )

    def _failed(self, path: Path, failure: Failure) -> None:
        if failure.kind != "cancelled":
            self._told(path, {}, sentence(failure.message, failure.remedy))

    def _told(self, path: Path, facts: dict[str, Any], failure: str) -> None:
        if path == self._asked:
            self.facts, self._failure = facts, failure
            self.panel.refresh()

    def _forget(self) -> None:
        self.facts, self._failure, self._asked = {}, "", None
        if self._question is not None:
            self._question.close()
            self._question = None

    def close(self) -> None:
        """Forget the file; it is asked for again when the panel is shown."""
        self._forget()

    # buttons

    def _on_folder(self) -> None:
        with telling(_("The folder could not be chosen.")):
            folder = qt.QFileDialog.getExistingDirectory(None, _("Scan"), str(self.path or ""))
            if folder:
                self.parameters.inputPath = Path(folder)

    def _on_set_voxel_size(self) -> None:
        with telling(_("The voxel size could not be set.")):
            geometry.set_voxel_size(self.parameters.inputVolume, self.parameters.voxelSizeUm)
            slicer.util.resetSliceViews()
            self.panel.refresh()

    def _on_fit_roi(self) -> None:
        with telling(_("The region could not be placed.")):
            scan = self.scan()
            scan.check()
            geometry.fit_roi(self.parameters.cropRoi, scan.to_world(), scan.shape)
            self.panel.refresh()

    def _on_load_preview(self) -> None:
        with telling(_("The preview could not be made.")):
            work = preview.OfFile(self.scan())
            temporary.start(self.panel.run, work.steps, lambda _: work.load(), work.close)


def chosen_path(path: Path) -> Path | None:
    """Give a path of the parameters; an empty one, which is the folder that Slicer runs in, is none."""
    return None if path == Path() else path


def show_no_path(field: Any) -> None:
    """Show an empty path as an empty field."""
    if field.currentPath == ".":
        field.currentPath = ""


def text_of(facts: dict[str, Any], side_um: float | None = None) -> str:
    """Say how large a scan is: voxels and voxel size along (x, y, z), bytes.

    Parameters
    ----------
    facts : dict
        What ``info --json`` tells.
    side_um : float, optional
        Side of a voxel where the scan does not say it; 0 for not known.
    """
    voxels = " × ".join(str(count) for count in facts["shape"][::-1])
    steps = facts["voxel_size_um"][::-1] if side_um is None else [side_um]
    side = " × ".join(f"{step:.4g}" for step in (steps[:1] if max(steps) - min(steps) < 1e-6 else steps))
    size = _("of unknown size") if side_um == 0 else _("of {side} µm").format(side=side)
    return _("{voxels} voxels {size}, {dtype}, {bytes}").format(
        voxels=voxels, size=size, dtype=facts["dtype"], bytes=size_text(facts["bytes"])
    )
