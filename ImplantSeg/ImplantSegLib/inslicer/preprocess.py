"""The section Preprocessing: binning, denoising, scaling; their preview on a slice, and the quality of the scan."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import commands, preview, temporary
from ImplantSegLib.inslicer.commands import Preparation
from ImplantSegLib.inslicer.input import InputSection
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.section import WARNING_STYLE, Section, sentence, telling
from ImplantSegLib.labels import NAMES, TITLES

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


_WIDTH = 320
"""Largest width of the histogram in pixels: it fits into the narrowest panels."""


class PreprocessSection(Section):
    """What is done to the scan before it is segmented."""

    FORM = "ImplantSegPreprocess.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self._shown: tuple[Any, Any] | None = None
        self._checked: tuple[str, str] | None = None
        self.ui.qualityWarningLabel.styleSheet = WARNING_STYLE
        self.ui.slicePreviewButton.connect("clicked(bool)", self._on_preview)
        self.ui.showPreviewCheckBox.connect("toggled(bool)", self._on_show_preview)
        self.ui.qualityButton.connect("clicked(bool)", self._on_quality)
        self._forget()

    @property
    def _input(self) -> InputSection:
        section: InputSection = self.panel.section(InputSection)
        return section

    def problems(self) -> list[str]:
        """Tell whether the percentiles are the wrong way round."""
        if self.parameters.scaleByPercentiles and self.parameters.lowPercent >= self.parameters.highPercent:
            return [_("The lower percentile is not below the upper one: correct them.")]
        return []

    def refresh(self) -> None:
        """Show the voxel size after binning."""
        parameters, ready = self.parameters, not self._input.problems() and not self.panel.run.runner.running
        if self._checked not in (None, self._subject()):
            self._forget_quality()
        self.ui.denoiseStrengthSlider.enabled = parameters.denoise
        for widget in (self.ui.lowPercentSpinBox, self.ui.highPercentSpinBox):
            widget.enabled = parameters.scaleByPercentiles
        self.ui.binnedLabel.text = self._binned() if ready and self._input.voxel_size_told else ""
        self.ui.slicePreviewButton.enabled = ready and Preparation.of(parameters).needed and not self.problems()
        self.ui.qualityButton.enabled = ready

    def _binned(self) -> str:
        steps_um = sorted({round(step * self.parameters.binning, 4) for step in self._input.scan().steps_um})
        return _("voxels of {side} µm").format(side=" × ".join(f"{step:g}" for step in steps_um))

    def scene_closed(self) -> None:
        """Forget the preview and the quality of a scan that is gone."""
        self._forget()

    def _forget(self) -> None:
        self._shown = None
        self.ui.showPreviewCheckBox.enabled = False
        self.ui.showPreviewCheckBox.checked = False
        self._forget_quality()

    def _forget_quality(self) -> None:
        """Show nothing that was said about another scan, or by comparison with another model."""
        self._checked = None
        for label in (self.ui.qualityLabel, self.ui.qualityWarningLabel, self.ui.histogramLabel):
            label.clear()
            label.visible = False

    # the preview

    def _on_preview(self) -> None:
        with telling(_("The preview could not be made.")):
            view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
            pose = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
            work = preview.OfSlice(self._input.scan(), Preparation.of(self.parameters), np.asarray(pose))
            temporary.start(self.panel.run, work.steps, lambda _: self._show(work.load()), work.close)

    def _show(self, node: Any) -> None:
        behind = _background()
        if self._shown is None or behind is not self._shown[0]:
            self._shown = (node, behind)
        self.ui.showPreviewCheckBox.enabled = True
        self.ui.showPreviewCheckBox.checked = True
        self._on_show_preview(True)

    def _on_show_preview(self, shown: bool) -> None:
        with telling(_("The slice views could not be changed.")):
            if self._shown is not None:
                node = self._shown[0 if shown else 1]
                slicer.util.setSliceViewerLayers(background=node if _is_there(node) else None)

    # the quality

    def _subject(self) -> tuple[str, str]:
        """Scan and model that a check is about."""
        try:
            scan = self._input.scan()
            scan.check()
        except InputError:
            return "", self.parameters.model
        return scan.identity, self.parameters.model

    def _on_quality(self) -> None:
        with telling(_("The scan could not be checked.")):
            folder = temporary.new_folder()
            figure = folder / "histogram.png"

            def steps() -> list[Step]:
                scan = self._input.scan()
                self._checked = self._subject()
                arguments = commands.quality(scan.file(folder), self.parameters.model, figure, scan.told_voxel_size_um)
                return [Step("checking the scan", "quality", arguments)]

            temporary.start(
                self.panel.run,
                steps,
                lambda output: self._tell(json.loads(output), figure),
                lambda: temporary.remove(folder),
            )

    def _tell(self, quality: dict[str, Any], figure: Path) -> None:
        warnings = [sentence(one["sentence"]) for one in quality.get("warnings", [])]
        if warnings:
            warnings.insert(0, _("The scan lies outside what the model was trained on:"))
        self.ui.qualityWarningLabel.text = "\n".join(warnings)
        self.ui.qualityWarningLabel.visible = bool(warnings)
        self.ui.qualityLabel.text = text_of(quality)
        self.ui.qualityLabel.visible = True
        picture = qt.QPixmap(str(figure))
        if picture.isNull():
            raise InputError(f"the picture {figure} cannot be shown", "look at the log")
        picture = picture.scaledToWidth(min(picture.width(), _WIDTH), qt.Qt.SmoothTransformation)
        self.ui.histogramLabel.setPixmap(picture)
        self.ui.histogramLabel.minimumHeight = picture.height()  # labels that wrap would take its space
        self.ui.histogramLabel.visible = True


def text_of(quality: dict[str, Any]) -> str:
    """Say what ``quality --json`` found, a line for each class and each pair of neighbours in grey."""
    lines = [
        _("{name}: {mean} ± {std}, signal to noise {snr}").format(
            name=_title(name), mean=_number(grey["mean"]), std=_number(grey["std"]), snr=_ratio(grey["snr"])
        )
        for name, grey in quality["classes"].items()
    ]
    names = list(quality["classes"])
    for pair in (f"{first}/{second}" for first, second in itertools.pairwise(names)):
        ratio = quality["cnr"][pair]["pooled"]
        both = " / ".join(map(_title, pair.split("/")))
        lines.append(_("{both}: contrast to noise {ratio}").format(both=both, ratio=_ratio(ratio)))
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"  # undefined where a class has one grey value


def _title(name: str) -> str:
    titles = {NAMES[value]: TITLES[value] for value in NAMES}
    return titles.get(name, name.replace("class_0", "background").replace("class_", "grey class "))


def _background() -> Any:
    composite = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def _is_there(node: Any) -> bool:
    return node is not None and bool(slicer.mrmlScene.IsNodePresent(node))
