"""The section that shows the measures of a sample, charts them and hands them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegQuantLib.inslicer import charts, export, names, samples, tables
from ImplantSegQuantLib.inslicer.form import QuantSection


class ResultsSection(QuantSection):
    """Results of the sample that the parameter ``shownResults`` names."""

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
        """Table of the sample that is shown, or None."""
        return None if self.parameters is None else self.parameters.shownResults

    @property
    def sample(self) -> str:
        """Name of the sample that is shown."""
        return self.table.GetAttribute(names.SAMPLE) or "" if self.table is not None else ""

    def show(self, table: Any) -> None:
        """Show the results of a sample."""
        self.parameters.shownResults = table
        self.panel.refresh()

    def refresh(self) -> None:
        """Show the table, and what can be done with it."""
        table = self.table
        if self.ui.tableView.mrmlTableNode() is not table:
            self.ui.tableView.setMRMLTableNode(table)
        result = samples.result(table) if table is not None else {}
        self.ui.sampleLabel.text = _describe(table, result)
        for button in (self.ui.copyButton, self.ui.csvButton, self.ui.jsonButton, self.ui.htmlButton):
            button.enabled = table is not None
        self.ui.reportButton.enabled = table is not None
        self.ui.errorsButton.enabled = bool(result.get("relative_error_percent"))
        for box, role in ((self.ui.contactCheckBox, names.CONTACT), (self.ui.roiCheckBox, names.ROI)):
            node = samples.find(self.sample, role) if self.sample else None
            display = node.GetDisplayNode() if node is not None else None
            blocked = box.blockSignals(True)
            box.enabled = display is not None
            box.checked = display is not None and bool(display.GetVisibility())
            box.blockSignals(blocked)

    def _copy(self) -> None:
        slicer.app.clipboard().setText(tables.as_text(self.table))
        self.panel.run.tell(_("The table was copied."))

    def _save(self, suffix: str) -> None:
        name = f"{self.sample}.{suffix}"
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
        samples.find(self.sample, role).GetDisplayNode().SetVisibility(shown)


def guarded(action: Any) -> Any:
    """Give a slot that shows what goes wrong as a message."""

    def slot() -> None:
        with slicer.util.tryWithErrorDisplay(_("That did not work.")):
            action()

    return slot


def _describe(table: Any, result: dict[str, Any]) -> str:
    if table is None:
        return _("Nothing was measured yet.")
    text = _("{sample}, {weeks} weeks").format(
        sample=table.GetAttribute(names.SAMPLE), weeks=table.GetAttribute(names.WEEKS)
    )
    if result.get("mean_iou_percent") is not None:
        text += _(", mean IoU {iou} %").format(iou=f"{result['mean_iou_percent']:.1f}")
    return "\n".join([text, *(f"⚠ {warning}" for warning in result.get("warnings", []))])
