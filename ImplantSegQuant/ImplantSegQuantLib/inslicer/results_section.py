"""The section that shows the measures of a sample, charts them and hands them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegQuantLib.inslicer import charts, colours, export, names, samples, tables
from ImplantSegQuantLib.inslicer.form import QuantSection, guarded, put


class ResultsSection(QuantSection):
    """Results of the sample that the parameter ``shownResults`` names, or the group table of all."""

    FORM = "ImplantSegQuantResults.ui"

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        for button, action in (
            (self.ui.copyButton, self._copy),
            (self.ui.csvButton, lambda: self._save("csv")),
            (self.ui.jsonButton, lambda: self._save("json")),
            (self.ui.htmlButton, lambda: self._save("html")),
            (self.ui.reportButton, self._open_report),
            (self.ui.errorsButton, self._chart_errors),
        ):
            button.connect("clicked(bool)", guarded(action))
        self.ui.contactCheckBox.connect("toggled(bool)", lambda shown: self._show(names.CONTACT, shown))
        self.ui.roiCheckBox.connect("toggled(bool)", lambda shown: self._show(names.ROI, shown))

    @property
    def table(self) -> Any:
        """Table that is shown, or None."""
        return None if self.parameters is None else self.parameters.shownResults

    @property
    def sample(self) -> str:
        """Name of the sample that is shown; empty for none and for the group table."""
        return self.table.GetAttribute(names.SAMPLE) or "" if self.table is not None else ""

    def show(self, table: Any) -> None:
        """Show the results of a sample."""
        # not those of the panel, which has none while another module is shown
        self.panel.logic.getParameterNode().shownResults = table
        self.panel.refresh()

    def refresh(self) -> None:
        """Show the table, and what can be done with it."""
        table, sample = self.table, self.sample
        if self.ui.tableView.mrmlTableNode() is not table:
            self.ui.tableView.setMRMLTableNode(table)
            self.ui.tableView.resizeColumnsToContents()
        self.ui.tableView.visible = table is not None
        result = samples.result(table) if sample else {}
        self.ui.sampleLabel.text = _describe(table, result)
        for button in (self.ui.copyButton, self.ui.csvButton):
            button.enabled = table is not None
        for button in (self.ui.jsonButton, self.ui.htmlButton, self.ui.reportButton):
            button.enabled = bool(sample)
        self.ui.errorsButton.enabled = bool(result.get("relative_error_percent"))
        for box, role in ((self.ui.contactCheckBox, names.CONTACT), (self.ui.roiCheckBox, names.ROI)):
            node = samples.find(sample, role) if sample else None
            put(box, node is not None, node is not None and bool(node.GetDisplayNode().GetVisibility()))

    def _copy(self) -> None:
        slicer.app.clipboard().setText(tables.as_text(self.table))
        self.panel.run.tell(_("The table was copied."))

    def _save(self, suffix: str) -> None:
        name = f"{self.sample or 'groups'}.{suffix}"
        path = qt.QFileDialog.getSaveFileName(self.form, _("Save results"), name, f"{suffix.upper()} (*.{suffix})")
        if path:
            target = Path(path).with_suffix(f".{suffix}")
            export.save(self.table, target)
            self.panel.run.tell(_("Saved {path}").format(path=target))

    def _open_report(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(export.report(self.table))))

    def _chart_errors(self) -> None:
        charts.show(charts.errors_chart(self.sample))

    def _show(self, role: str, shown: bool) -> None:
        node = samples.find(self.sample, role)
        if role == names.CONTACT:
            colours.show(node, shown)
        else:
            node.GetDisplayNode().SetVisibility(shown)


def _describe(table: Any, result: dict[str, Any]) -> str:
    if table is None:
        return _("Nothing was measured yet.")
    if not table.GetAttribute(names.SAMPLE):
        return _("Checked samples by healing time")
    text = _("{sample}, {weeks} weeks").format(
        sample=table.GetAttribute(names.SAMPLE), weeks=table.GetAttribute(names.WEEKS)
    )
    if result.get("mean_iou_percent") is not None:
        text += _(", mean IoU {iou} %").format(iou=f"{result['mean_iou_percent']:.1f}")
    return "\n".join([text, *(f"⚠ {warning}" for warning in result.get("warnings", []))])
