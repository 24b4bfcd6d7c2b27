"""The section that says what is measured: segmentation, reference, healing time, truth, where the results go."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer.input import chosen_path, show_no_path
from ImplantSegLib.inslicer.section import BAD_COLOUR, sentence
from ImplantSegLib.labels import TITLES
from ImplantSegQuantLib.inslicer import fov, labels, names, samples
from ImplantSegQuantLib.inslicer.choice import Choice
from ImplantSegQuantLib.inslicer.form import QuantSection

SCREW_KEYS = (
    "diameter",
    "length",
    "thread_depth",
    "pitch",
    "crest",
    "lead",
    "root",
    "head_diameter",
    "head_height",
    "socket",
    "socket_depth",
    "tip",
)
"""Numbers of the parametric screw, as ``screw:KEY=VALUE`` names them."""


class SampleSection(QuantSection):
    """The form of a sample; tells the other sections what was chosen."""

    FORM = "ImplantSegQuantSample.ui"

    def choice(self) -> Choice:
        """Give what is chosen now."""
        values = self.parameters
        return Choice(
            segmentation=values.segmentation,
            reference=self._reference(),
            weeks=values.weeks,
            truth=values.truth,
            scan=values.scan,
            roi_mm=values.roiMm,
            fov=self._fov(),
            name=values.sampleName,
            probabilities=chosen_path(values.probabilitiesPath),
            study=chosen_path(values.studyFolder),
        )

    def problems(self) -> list[str]:
        """Tell what is missing or cannot be measured."""
        return [] if self.parameters is None else self.choice().problems()

    def refresh(self) -> None:
        """Show the fields of the chosen reference and field of view, and what follows from the segmentation."""
        kind, view = self.parameters.referenceKind.value, self.parameters.fovKind.value
        for widget, wanted in (
            (self.ui.referenceSegmentationSelector, "segmentation"),
            (self.ui.referenceModelSelector, "model"),
            (self.ui.referencePathLineEdit, "file"),
            (self.ui.screwBox, "screw"),
        ):
            widget.visible = kind == wanted
        self.ui.circleBox.visible = view == "circle"
        self.ui.fovMaskSelector.visible = view == "mask"
        self.ui.fovLabel.visible = view == "auto"
        for field in (self.ui.referencePathLineEdit, self.ui.studyPathLineEdit, self.ui.probabilitiesPathLineEdit):
            show_no_path(field)
        choice = self.choice()
        self.ui.fovLabel.text = _describe_fov(fov.known(choice.segmentation, choice.truth, choice.scan))
        self.ui.segmentsLabel.visible = choice.segmentation is not None
        self.ui.segmentsLabel.text = _describe_segments(choice.segmentation)
        self.ui.nameLineEdit.placeholderText = choice.title
        self.ui.studyNoteLabel.text = _describe_results(choice)

    def _reference(self) -> Any:
        values, kind = self.parameters, self.parameters.referenceKind.value
        if kind == "screw":
            numbers = (getattr(values, parameter(key)) for key in SCREW_KEYS)
            return "screw:" + ",".join(f"{key}={value:g}" for key, value in zip(SCREW_KEYS, numbers, strict=True))
        chosen = {
            "segmentation": values.referenceSegmentation,
            "model": values.referenceModel,
            "file": chosen_path(values.referencePath),
        }
        return chosen[kind]

    def _fov(self) -> Any:
        values, kind = self.parameters, self.parameters.fovKind.value
        if kind == "circle":
            return f"circle:{values.circleY:g},{values.circleX:g},{values.circleRadius:g}"
        return values.fovMask if kind == "mask" else kind


def parameter(key: str) -> str:
    """Name of the parameter of a number of the screw: ``screwThreadDepthMm`` for ``thread_depth``."""
    return "screw" + "".join(part.capitalize() for part in key.split("_")) + "Mm"


def _describe_segments(node: Any) -> str:
    if node is None:
        return ""
    try:
        found = labels.check(node, "segmentation")
    except InputError as error:
        return f"<span style='color:{BAD_COLOUR}'>{html.escape(sentence(error.message, error.remedy))}</span>"
    classes = ", ".join(TITLES[label] for label in sorted(found.labels.values()))
    foreign = _("; left out: {names}").format(names=html.escape(", ".join(found.foreign))) if found.foreign else ""
    return _("Segments: {names}").format(names=classes) + foreign


def _describe_fov(text: str) -> str:
    if text == "box":
        return _("The whole box: no file tells anything else.")
    return _("As the file tells: {text}").format(text=text)


def _describe_results(choice: Choice) -> str:
    if not choice.title:
        return ""
    known = samples.find(choice.title, names.RESULTS) or (choice.results / "results.json").is_file()
    replaced = [_("The sample {name} was measured already and will be replaced.").format(name=choice.title)]
    if choice.study is None:
        where = _("Without a study folder the files of the results are not kept when Slicer ends.")
    else:
        where = _("Results go to {folder}.").format(folder=choice.results)
    return " ".join([where, *(replaced if known else [])])
