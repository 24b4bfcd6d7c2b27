"""The section Model: the table of the models, what speaks against the chosen one, and the device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.inslicer import bundles, tables
from ImplantSegLib.inslicer import facts as told
from ImplantSegLib.inslicer.bundles import Entry
from ImplantSegLib.inslicer.environment import EnvironmentSection
from ImplantSegLib.inslicer.estimate import scan_grid
from ImplantSegLib.inslicer.facts import Facts
from ImplantSegLib.inslicer.input import InputSection
from ImplantSegLib.inslicer.runner import Runner, ask
from ImplantSegLib.inslicer.section import BAD_COLOUR, ERROR_STYLE, WARNING_STYLE, Section, sentence, telling
from ImplantSegLib.inslicer.worker import Failure

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


class ModelSection(Section):
    """The chosen row is the parameter ``model``; a model that is not there any more stays chosen, and is told.

    Attributes
    ----------
    entries : dict of str to Entry, or None
        The models by name; ``None`` until they were listed.
    """

    FORM = "ImplantSegModel.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.entries: dict[str, Entry] | None = None
        self._listing: Runner | None = None
        self._deed: Runner | None = None
        self._showing: Runner | None = None
        self._shown = ""
        tables.prepare(self.ui.modelTable, [_(header) for header in bundles.HEADERS])
        self.ui.modelTable.connect("itemSelectionChanged()", self._on_selected)
        for button, slot in (
            (self.ui.importModelButton, self._on_import),
            (self.ui.verifyModelButton, self._on_verify),
            (self.ui.deleteModelButton, self._on_delete),
            (self.ui.refreshModelsButton, self.reload),
            (self.ui.openModelFolderButton, self._on_open_folder),
        ):
            button.connect("clicked(bool)", slot)

    def reload(self) -> None:
        """List the models anew, in the background."""
        if self._listing is not None:
            self._listing.close()
        self._shown = ""
        if self.entries is None:
            self._tell(_("Looking for models …"))
        self._listing = ask("models", ["list", "--json", "--quick"], self._on_quick_list, self._on_failure)

    def refresh(self) -> None:
        """Show the chosen model, what speaks against it, and the device."""
        if self.entries is None and self._listing is None:
            self.reload()
        self._choose_row()
        entry = self._entry()
        self.ui.verifyModelButton.enabled = bool(self.parameters.model)
        self.ui.deleteModelButton.enabled = entry is not None and entry.deletable
        self._show_advice(entry)
        self._show_device()
        if entry is not None and not entry.problems:
            self._show_details(entry.name)

    def entered(self) -> None:
        """List anew what could not be told while torch was missing; the user may have installed it."""
        if any(entry.memory_bytes is None and not entry.problems for entry in (self.entries or {}).values()):
            self.reload()

    def problems(self) -> list[str]:
        """Tell why the chosen model cannot be used."""
        if self.parameters is None or self.entries is None:
            return []
        model, entry = self.parameters.model, self._entry()
        if entry is not None:
            why_not = [
                _("The model {name} cannot be used: {why}.").format(name=model, why=why) for why in entry.problems
            ]
            return [*why_not, *self._voxels_refused(entry)]
        if not model:
            return [_("Choose a model.")]
        if Path(model).is_file():
            return []
        return [_("The model {name} is not on this computer; import its file, or choose another.").format(name=model)]

    def close(self) -> None:
        """Ask no longer."""
        if self._deed is not None and self._deed.running:
            self._tell("")
        for runner in (self._listing, self._deed, self._showing):
            if runner is not None:
                runner.close()
        self._listing, self._shown = None, ""  # asked again when the panel is shown again

    # what the commands answer

    def _on_quick_list(self, output: str) -> None:
        if self.entries is None:
            self._tell("")
        self._on_list(output)
        self._listing = ask("models", ["list", "--json"], self._on_list, self._on_failure)  # with the memory

    def _on_list(self, output: str) -> None:
        entries = [Entry.of(told) for told in json.loads(output)]
        self.entries = {entry.name: entry for entry in entries}
        table = self.ui.modelTable
        table.blockSignals(True)
        tables.fill(table, [entry.row() for entry in entries])
        for row, name in enumerate(tables.texts(table, 0)):
            if self.entries[name].problems:
                tables.paint(table, row, BAD_COLOUR, "\n".join(self.entries[name].problems))
        table.blockSignals(False)
        self.panel.refresh()

    def _on_failure(self, failure: Failure) -> None:
        if failure.kind != "cancelled":
            self._tell(sentence(failure.message, failure.remedy), ERROR_STYLE)

    def _on_details(self, output: str) -> None:
        model = json.loads(output)
        self.ui.modelDetailsLabel.text = bundles.details(model)
        self.ui.modelDetailsLabel.toolTip = bundles.origin(model)

    # what the user does

    def _on_selected(self) -> None:
        chosen = self.ui.modelTable.selectedItems()
        if chosen and self.parameters is not None:
            self._tell("")  # what was said about the model before
            self.parameters.model = self.ui.modelTable.item(chosen[0].row(), 0).text()

    def _on_import(self) -> None:
        path = qt.QFileDialog.getOpenFileName(None, _("Import a model"), "", _("Models (*.safetensors)"))
        if not path:
            return
        name = bundles.new_name(Path(path).stem, self.entries or {})
        replaces = name in (self.entries or {})
        question = _("There is already a model {name}. Replace it?").format(name=name)
        if not replaces or slicer.util.confirmYesNoDisplay(question):
            self._do(["import", path, "--name", name, *(["--replace"] if replaces else [])], self._on_imported)

    def _on_imported(self, output: str) -> None:
        name = Path(output.strip().splitlines()[-1]).stem
        if self.parameters is not None:
            self.parameters.model = name
        self._tell(_("{name} was imported.").format(name=name))
        self.reload()

    def _on_verify(self) -> None:
        self._do(["verify", self.parameters.model], lambda output: self._tell(output.strip()))

    def _on_delete(self) -> None:
        name = self.parameters.model
        question = _("Delete the model {name} from this computer? This cannot be undone.").format(name=name)
        if slicer.util.confirmYesNoDisplay(question):
            self._do(["delete", name], lambda _output: self.reload())

    def _on_open_folder(self) -> None:
        facts = self._facts()
        if facts is None:
            self._tell(_("The folder is not known yet; try again in a moment."))
        else:
            with telling(_("The folder of the models could not be opened.")):
                folder = Path(facts["models"]["folder"])
                folder.mkdir(parents=True, exist_ok=True)
                qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

    def _do(self, arguments: list[str], answered: Callable[[str], None]) -> None:
        if self._deed is None or not self._deed.running:
            self._tell(_("Working …"))
            self._deed = ask("models", arguments, answered, self._on_failure)

    # what is shown

    def _entry(self) -> Entry | None:
        return (self.entries or {}).get(self.parameters.model)

    def _facts(self) -> Facts | None:
        return self.panel.section(EnvironmentSection).facts

    def _scan_voxel_um(self) -> bundles.Voxel | None:
        grid = scan_grid(self.panel)
        return grid.voxel_um if grid else None

    def _voxels_refused(self, entry: Entry) -> list[str]:
        if entry.voxel_um is not None and not self.panel.section(InputSection).voxel_size_told:
            return [_("The scan does not say how large its voxels are: enter it in the section Scan.")]
        scan_um = self._scan_voxel_um()
        if bundles.is_usable(bundles.voxel_ratio(entry.voxel_um, scan_um)):
            return []
        return [bundles.voxel_warning(entry.voxel_um, scan_um)]

    def _choose_row(self) -> None:
        table = self.ui.modelTable
        names = tables.texts(table, 0)
        table.blockSignals(True)
        if self.parameters.model in names:
            table.selectRow(names.index(self.parameters.model))
        else:
            table.clearSelection()
        table.blockSignals(False)

    def _show_advice(self, entry: Entry | None) -> None:
        problems = self.problems()
        warning = bundles.voxel_warning(entry.voxel_um if entry else None, self._scan_voxel_um())
        if problems:
            self._tell("\n".join(problems), ERROR_STYLE)
        elif warning:
            self._tell(warning, WARNING_STYLE)
        elif self._deed is None or not self._deed.running:
            self._tell("" if self.ui.modelLabel.styleSheet else self.ui.modelLabel.text)

    def _tell(self, text: str, style: str = "") -> None:
        self.ui.modelLabel.styleSheet = style
        self.ui.modelLabel.text = text
        self.ui.modelLabel.visible = bool(text)

    def _show_device(self) -> None:
        facts = self._facts()
        if facts is None:
            return
        idle = told.idle_gpu(facts)
        chosen_in_vain = self.parameters.device.value == "cuda" and not facts["torch"]["gpu_usable"]
        vain = _("A GPU is chosen, but PyTorch finds none it can use.") if chosen_in_vain else ""
        line = told.device_line(facts)
        self.ui.deviceLabel.text = " ".join(filter(None, [idle or f"{line}.", vain]))
        self.ui.deviceLabel.styleSheet = ERROR_STYLE if idle or vain or not told.torch_will_do(facts) else ""

    def _show_details(self, name: str) -> None:
        if self._shown != name:
            self._shown = name
            if self._showing is not None:
                self._showing.close()
            self._showing = ask("models", ["show", name, "--json"], self._on_details, self._on_failure)
