"""The section of all samples of the scene: the list, older results, charts and groups over the healing time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer.tables import prepare, selected
from ImplantSegQuantLib.definitions import DEFINITIONS
from ImplantSegQuantLib.inslicer import charts, export, load, names, samples, tables
from ImplantSegQuantLib.inslicer.form import QuantSection, guarded
from ImplantSegQuantLib.inslicer.results_section import ResultsSection

SHOWN = ("degradation_rate", "bone_implant_contact", "bone_volume_fraction")
"""Measures of the list, and the first ones to chart."""


class SamplesSection(QuantSection):
    """Samples of the scene."""

    FORM = "ImplantSegQuantSamples.ui"

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        prepare(self.ui.samplesTable, [_("Sample"), _("Weeks"), "DR (mm/a)", "BIC (%)", "BV/TV (%)"])
        for name in (*SHOWN, *(name for name in DEFINITIONS if name not in SHOWN)):
            self.ui.measureComboBox.addItem(tables.title(name), name)
        self.ui.measureComboBox.connect("currentIndexChanged(int)", self._on_measure)
        self.ui.samplesTable.connect("itemChanged(QTableWidgetItem*)", self._on_item_changed)
        self.ui.samplesTable.connect("itemSelectionChanged()", self._on_selected)
        for button, action in (
            (self.ui.loadButton, self._load),
            (self.ui.removeButton, self._remove),
            (self.ui.timeButton, self._chart),
            (self.ui.groupButton, self._group),
            (self.ui.groupCsvButton, self._save_group),
        ):
            button.connect("clicked(bool)", guarded(action))

    @property
    def results(self) -> ResultsSection:
        """The section that shows one sample."""
        return self.panel.section(ResultsSection)

    def refresh(self) -> None:
        """List the samples."""
        widget, found = self.ui.samplesTable, samples.tables()
        blocked = widget.blockSignals(True)
        widget.setRowCount(len(found))
        for row, table in enumerate(found):
            self._fill(row, table)
            if table is self.results.table:
                widget.selectRow(row)
        if not self.results.sample:
            widget.clearSelection()
        widget.blockSignals(blocked)
        self.ui.measureComboBox.currentIndex = self.ui.measureComboBox.findData(self.parameters.chartMeasure)
        self.ui.removeButton.enabled = bool(self.results.sample)
        for button in (self.ui.timeButton, self.ui.groupButton, self.ui.groupCsvButton):
            button.enabled = bool(samples.chosen())

    def _fill(self, row: int, table: Any) -> None:
        measured = samples.result(table).get("measurements", {})
        texts = [table.GetAttribute(names.SAMPLE), table.GetAttribute(names.WEEKS)]
        texts += [_text(measured.get(name)) for name in SHOWN]
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            if column == 0:
                checked = table.GetAttribute(names.CHOSEN) != "no"
                item.setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)
                item.setToolTip(table.GetAttribute(names.FOLDER) or "")
            self.ui.samplesTable.setItem(row, column, item)

    def _on_item_changed(self, item: Any) -> None:
        if item.column() == 0:
            table = samples.tables()[item.row()]
            table.SetAttribute(names.CHOSEN, None if item.checkState() == qt.Qt.Checked else "no")
            self.panel.refresh()

    def _on_selected(self) -> None:
        # not the current row: with the keyboard it follows the selection only after this
        rows, found = selected(self.ui.samplesTable), samples.tables()
        if self.parameters is not None and rows and found[rows[0]] is not self.results.table:
            self.results.show(found[rows[0]])

    def _on_measure(self, index: int) -> None:
        if self.parameters is not None and index >= 0:
            self.parameters.chartMeasure = self.ui.measureComboBox.itemData(index)

    def _load(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Folder of results"))
        if folder:
            self.results.show(load.load_results(Path(folder), Path(folder).name))

    def _remove(self) -> None:
        sample = self.results.sample
        self.parameters.shownResults = None
        samples.forget(sample)
        remaining = samples.tables()
        self.results.show(remaining[0] if remaining else None)

    def _chosen(self) -> list[tuple[str, dict[str, Any]]]:
        found = [(table.GetAttribute(names.SAMPLE), samples.result(table)) for table in samples.chosen()]
        if not found:
            raise InputError("no sample is checked", "check those that belong to the group")
        return found

    def _chart(self) -> None:
        charts.show(charts.time_chart(self._chosen(), self.parameters.chartMeasure))

    def _group(self) -> None:
        self.results.show(self._group_table())

    def _group_table(self) -> Any:
        rows = [result for _name, result in self._chosen()]
        table = samples.find("", names.GROUPS) or samples.add("vtkMRMLTableNode", "Group table", "", names.GROUPS)
        tables.fill_groups(table, rows)
        return table

    def _save_group(self) -> None:
        path = qt.QFileDialog.getSaveFileName(self.form, _("Save group table"), "groups.csv", "CSV (*.csv)")
        if path:
            export.save_table(self._group_table(), Path(path).with_suffix(".csv"))
            self.panel.run.tell(_("Saved {path}").format(path=path))


def _text(entry: Any) -> str:
    return "" if entry is None or entry["value"] is None else f"{entry['value']:.{tables.DIGITS}g}"
