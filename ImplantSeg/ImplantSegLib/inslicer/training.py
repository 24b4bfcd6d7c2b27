"""The section of training data: corrected segmentations become a folder that trains on a cluster by one command."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

import ImplantSegLib
from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import tables
from ImplantSegLib.inslicer.input import chosen_path, show_no_path
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.section import BAD_COLOUR, Section, sentence, telling
from ImplantSegLib.inslicer.traininglist import Pair, TrainingList, suggest
from ImplantSegLib.inslicer.worker import Failure

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel

SCRIPT = "train.sbatch"
"""Script that ``export-training`` writes."""

_USE, _SCAN, _SEGMENTATION, _NAME, _SLICES = range(5)
_WIDTHS = (40, 100, 110, 90)


class TrainingSection(Section):
    """Pairs of a scan and its segmentation, and the folder that they go into."""

    FORM = "ImplantSegTraining.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self._shown: list[tuple[Pair, str]] | None = None
        self._filling = False
        self.ui.recipeComboBox.addItems(recipes())
        self.ui.recipeComboBox.connect("currentTextChanged(QString)", self._on_recipe)
        for column, width in enumerate(_WIDTHS):
            self.ui.pairsTable.setColumnWidth(column, width)
        self.ui.suggestPairsButton.connect("clicked(bool)", self._suggest)
        self.ui.addPairButton.connect("clicked(bool)", self._add)
        self.ui.removePairButton.connect("clicked(bool)", self._remove)
        self.ui.pairsTable.connect("cellChanged(int,int)", self._on_edited)
        self.ui.exportTrainingButton.connect("clicked(bool)", self._export)
        self.ui.copyCommandButton.connect("clicked(bool)", self._copy)

    # what is shown

    def refresh(self) -> None:
        """Show the pairs, and what speaks against an export."""
        pairs = self._pairs()
        problems = [self._list().problem(pair) for pair in pairs]
        self._show(list(zip(pairs, problems, strict=True)))
        show_no_path(self.ui.trainingFolderPath)
        self.ui.recipeComboBox.currentText = self.parameters.trainingRecipe
        reasons = self._reasons(pairs, problems)
        self.ui.exportTrainingButton.enabled = not reasons and not self.panel.run.runner.running
        self.ui.exportTrainingButton.toolTip = "\n".join(reasons) or _("Write the chosen pairs into the folder")
        self._show_command()

    def _reasons(self, pairs: Sequence[Pair], problems: Sequence[str]) -> list[str]:
        chosen = [(pair, problem) for pair, problem in zip(pairs, problems, strict=True) if pair.chosen]
        found = [f"{pair.name}: {problem}" for pair, problem in chosen if problem]
        if not chosen:
            found.append(_("Choose at least one pair of a scan and its segmentation."))
        if self._folder() is None:
            found.append(_("Choose a folder for the training data."))
        return found

    def _show(self, rows: Sequence[tuple[Pair, str]]) -> None:
        if rows == self._shown:
            return
        self._shown, table, self._filling = list(rows), self.ui.pairsTable, True
        table.setRowCount(len(rows))
        for index, (pair, problem) in enumerate(rows):
            names = [node.GetName() if node is not None else _("(gone)") for node in self._list().nodes(pair)]
            for column, text in enumerate(("", *names, pair.name, pair.slices)):
                item = table.item(index, column)
                if item is None:
                    item = qt.QTableWidgetItem()
                    table.setItem(index, column, item)
                item.setText(text)
                item.setToolTip(sentence(problem) or text)
                item.setForeground(qt.QBrush(qt.QColor(BAD_COLOUR)) if problem else qt.QBrush())
                _settle(item, column, pair.chosen)
        self._filling = False

    def _show_command(self) -> None:
        folder = self._folder()
        there = folder is not None and (folder / SCRIPT).is_file()
        command = f"cd {shlex.quote(str(folder))} && sbatch {SCRIPT}" if there else ""
        self.ui.trainingCommandEdit.text = command
        self.ui.copyCommandButton.enabled = there

    def _folder(self) -> Path | None:
        return chosen_path(self.parameters.trainingFolder)

    # the pairs

    def _list(self) -> TrainingList:
        """Give the list of the parameters; a new one where there is none."""
        if self.parameters.trainingTable is None:
            self.parameters.trainingTable = TrainingList.new().table
        return TrainingList(self.parameters.trainingTable)

    def _pairs(self) -> list[Pair]:
        return self._list().pairs() if self.parameters.trainingTable is not None else []

    def _suggest(self) -> None:
        with telling(_("Pairs could not be found.")):
            found = suggest()
            if not found:
                raise InputError(
                    _("No segmentation of the scene tells its scan."), _("Choose both, and press Add pair.")
                )
            for scan, segmentation in found:
                self._list().add(scan, segmentation)
            self.panel.refresh()

    def _add(self) -> None:
        with telling(_("The pair could not be added.")):
            scan, segmentation = (
                selector.currentNode()
                for selector in (self.ui.trainingScanSelector, self.ui.trainingSegmentationSelector)
            )
            if scan is None or segmentation is None:
                raise InputError(_("A pair is a scan and a segmentation."), _("Choose both."))
            self._list().add(scan, segmentation)
            self.panel.refresh()

    def _remove(self) -> None:
        selected = tables.selected(self.ui.pairsTable)
        if selected:
            self._list().remove(selected)
            self.panel.refresh()

    def _on_edited(self, index: int) -> None:
        if self._filling or self.parameters is None:
            return
        name, slices, use = (self.ui.pairsTable.item(index, column) for column in (_NAME, _SLICES, _USE))
        self._list().change(index, name.text(), slices.text(), use.checkState() == qt.Qt.Checked)
        self.panel.refresh()

    def _on_recipe(self, name: str) -> None:
        if self.parameters is not None and name and self.parameters.trainingRecipe != name:
            self.parameters.trainingRecipe = name

    # the export

    def _export(self) -> None:
        with telling(_("The training data could not be written."), wait_cursor=True):
            folder, chosen = self._folder(), [pair for pair in self._pairs() if pair.chosen]
            staging = Path(tempfile.mkdtemp(prefix="ImplantSeg-", dir=slicer.app.temporaryPath))
            try:
                samples = self._list().save(chosen, staging)
            except Exception:
                shutil.rmtree(staging, ignore_errors=True)
                raise
            arguments = [folder, "--samples", samples, "--recipe", self.parameters.trainingRecipe]
            step = Step(
                _("writing training data"),
                "export-training",
                [*arguments, *(["--replace"] if self.ui.replaceCheckBox.checked else [])],
            )
            self.ui.trainingStatusLabel.text = ""
            self.panel.run.start([step], lambda _: self._written(len(chosen)), lambda _: _discard(staging))

    def _written(self, count: int) -> None:
        self.ui.trainingStatusLabel.text = _(
            "Scans written: {count}. Carry the folder to the cluster, correct the first lines of {script}, and start:"
        ).format(count=count, script=SCRIPT)
        if self.parameters is not None:
            self._show_command()

    def _copy(self) -> None:
        slicer.app.clipboard().setText(self.ui.trainingCommandEdit.text)


def recipes() -> list[str]:
    """Names of the packaged recipes."""
    return sorted(path.stem for path in (Path(ImplantSegLib.__path__[0]) / "data" / "recipes").glob("*.toml"))


def _settle(item: Any, column: int, checked: bool) -> None:
    """Let a user tick the first cell and edit name and slices."""
    if column == _USE:
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)
    elif column in (_SCAN, _SEGMENTATION):
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)


def _discard(staging: Path, _failure: Failure | None = None) -> None:
    shutil.rmtree(staging, ignore_errors=True)
