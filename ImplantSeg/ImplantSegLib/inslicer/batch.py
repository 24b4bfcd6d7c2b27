"""The section of many scans: a list that is segmented by one command, row by row, and goes on where it stopped."""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import ImplantSegError, InputError
from ImplantSegLib.inslicer import batchlist, header, mrml, segments, tables
from ImplantSegLib.inslicer.batchlist import BatchList, Row
from ImplantSegLib.inslicer.commands import Network
from ImplantSegLib.inslicer.input import chosen_path, show_no_path
from ImplantSegLib.inslicer.preview import PREVIEW_OF
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.section import Section, sentence, telling
from ImplantSegLib.inslicer.segmenting import LOADED_BYTES
from ImplantSegLib.inslicer.worker import Failure, Item

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel

LIST = "scans.csv"
"""File with the list, in the output folder: what the child process reads, and a cluster would."""

COPIES = "scans"
"""Folder beside it for volumes of the scene that are no files yet."""

_FILES = "Scans (*.nrrd *.nhdr *.mha *.mhd *.tif *.tiff *.nii *.nii.gz);;All files (*)"
_WIDTHS = (110, 130, 70)
_COLOURS = {batchlist.DONE: "#2e7d32", batchlist.FAILED: "#c62828", batchlist.RUNNING: "#1565c0"}


class BatchSection(Section):
    """A list of scans and what became of them."""

    FORM = "ImplantSegBatch.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self._running: BatchList | None = None
        self._indices: list[int] = []
        self._shown: list[Row] | None = None
        for column, width in enumerate(_WIDTHS):
            self.ui.batchRowsTable.setColumnWidth(column, width)
        for name, slot in (
            ("addVolumes", self._add_volumes),
            ("addFiles", self._add_files),
            ("addFolder", self._add_folder),
            ("import", self._import),
            ("loadRow", self._load_selected),
            ("removeRow", self._remove),
            ("clearFinished", self._clear_finished),
            ("runBatch", self._run),
        ):
            getattr(self.ui, f"{name}Button").connect("clicked(bool)", slot)
        self.ui.batchRowsTable.connect("cellDoubleClicked(int,int)", self._load_row)

    # what is shown

    def refresh(self) -> None:
        """Show the rows, and what speaks against a run."""
        rows = self._rows()
        if self._running is None and any(row.status == batchlist.RUNNING for row in rows):
            # the application ended, or the scene was saved, in the middle of a run
            rows = [_ended(row, None) for row in rows]
            self._list().put(rows)
        self._show(rows)
        show_no_path(self.ui.batchFolderPath)
        for name in ("addVolumes", "addFiles", "addFolder", "import", "removeRow", "clearFinished"):
            getattr(self.ui, f"{name}Button").enabled = self._running is None
        reasons = self._reasons(rows)
        self.ui.runBatchButton.enabled = not reasons and not self.panel.run.runner.running
        self.ui.runBatchButton.toolTip = "\n".join(reasons) or _(
            "Segment all rows that are not done with the model and device chosen above, one after another; "
            "binning, denoising and region of interest of a single scan are not applied"
        )

    def _reasons(self, rows: Sequence[Row]) -> list[str]:
        found = []
        if all(row.status in batchlist.FINISHED for row in rows):
            found.append(_("Add scans to the list."))
        if chosen_path(self.parameters.batchFolder) is None:
            found.append(_("Choose an output folder."))
        return found

    def _show(self, rows: Sequence[Row]) -> None:
        if rows == self._shown:
            return
        self._shown, table = list(rows), self.ui.batchRowsTable
        table.setRowCount(len(rows))
        for index, row in enumerate(rows):
            texts = (Path(row.input).name, Path(row.output).name, row.status, row.message)
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip((row.input, row.output, row.status, row.message)[column])
                if column == 2 and row.status in _COLOURS:
                    item.setForeground(qt.QBrush(qt.QColor(_COLOURS[row.status])))
                table.setItem(index, column, item)
        counts = Counter(row.status for row in rows)
        self.ui.batchSummaryLabel.text = ", ".join(f"{counts[status]} {status}" for status in counts)

    # the list

    def _list(self) -> BatchList:
        """Give the list of the parameters; a new one where there is none."""
        if self.parameters.batchTable is None:
            self.parameters.batchTable = BatchList.new().table
        return BatchList(self.parameters.batchTable)

    def _rows(self) -> list[Row]:
        return BatchList(self.parameters.batchTable).rows() if self.parameters.batchTable is not None else []

    def _add_volumes(self) -> None:
        with telling(_("The volumes could not be added.")):
            for node in filter(self._is_scan, slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")):
                self._list().add_volume(node)
            self.panel.refresh()

    def _is_scan(self, node: Any) -> bool:
        """Whether a volume may be a scan: no labels, and none of those that this module made."""
        made = node is self.parameters.outputUncertainty or node.GetAttribute(PREVIEW_OF)
        return not made and not node.IsA("vtkMRMLLabelMapVolumeNode") and not node.GetHideFromEditors()

    def _add_files(self) -> None:
        with telling(_("The files could not be added.")):
            chosen = qt.QFileDialog.getOpenFileNames(slicer.util.mainWindow(), _("Add scans"), "", _FILES)
            self._list().add_paths(map(Path, chosen))
            self.panel.refresh()

    def _add_folder(self) -> None:
        with telling(_("The folder could not be added.")):
            title = _("Add a folder of slices, or a folder of such folders")
            chosen = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
            if chosen:
                found = batchlist.scans_in(Path(chosen))
                if not found:
                    raise InputError(f"there are no slices in {chosen}", "choose a folder of TIFF files")
                self._list().add_paths(found)
                self.panel.refresh()

    def _import(self) -> None:
        with telling(_("The list could not be imported.")):
            chosen = qt.QFileDialog.getOpenFileName(
                slicer.util.mainWindow(), _("Import a list"), "", "Lists (*.csv);;All files (*)"
            )
            if chosen:
                self._list().add_csv(Path(chosen))
                self.panel.refresh()

    def _remove(self) -> None:
        selected = self._selected()
        if selected:
            self._list().remove(selected)
            self.panel.refresh()

    def _clear_finished(self) -> None:
        finished = [index for index, row in enumerate(self._rows()) if row.status in batchlist.FINISHED]
        if finished:
            self._list().remove(finished)
            self.panel.refresh()

    def _selected(self) -> list[int]:
        return tables.selected(self.ui.batchRowsTable)

    # the run

    def _run(self) -> None:
        with telling(_("The batch could not be started."), wait_cursor=True):
            folder, batch = Path(self.parameters.batchFolder), self._list()
            folder.mkdir(parents=True, exist_ok=True)
            rows = [_begun_again(row, folder) for row in batch.rows()]
            files = [self._file(batch, row, folder / COPIES) for row in rows]
            rows = [file if isinstance(file, Row) else row for row, file in zip(rows, files, strict=True)]
            batch.put(rows)
            listed = {index: file for index, file in enumerate(files) if isinstance(file, Path)}
            if not listed:
                raise InputError("no scan of the list can be segmented", "the column Message says why")
            batchlist.write(folder / LIST, [replace(rows[index], input=str(file)) for index, file in listed.items()])
            self._running, self._indices = batch, list(listed)
            step = Step(
                _("segmenting"), "segment", [folder / LIST, "--resume", *Network.of(self.parameters).arguments()]
            )
            self.panel.run.start([step], lambda _: None, self._on_ended, self._on_item)

    def _file(self, batch: BatchList, row: Row, copies: Path) -> Path | Row:
        """Give the file of a row's scan, or the row with the reason why there is none."""
        if not row.node:
            # the command refuses the whole list for one scan that is not there
            there = Path(row.input).exists()
            return Path(row.input) if there else replace(row, status=batchlist.FAILED, message=_("It is not there."))
        volume = batch.volume(row)
        if volume is None:
            return replace(row, status=batchlist.FAILED, message=_("The volume is no longer in the scene."))
        try:
            copies.mkdir(exist_ok=True)
            name = Path(row.output).name.removesuffix(".seg.nrrd")
            return mrml.file_of(volume) or _saved(volume, copies / f"{name}.nrrd")
        except ImplantSegError as error:
            return replace(row, status=batchlist.FAILED, message=sentence(error.message, error.remedy))

    def _on_item(self, item: Item) -> None:
        if self._running is None or not 0 <= item.index < len(self._indices):
            return
        index = self._indices[item.index]
        if item.status == batchlist.SKIPPED and self._running.rows()[index].status == batchlist.DONE:
            return  # it was done in an earlier run, and still is
        self._running.change(index, item.status, item.message)
        self._show(self._running.rows())

    def _on_ended(self, failure: Failure | None) -> None:
        batch, self._running, self._indices = self._running, None, []
        if batch is not None:
            batch.put([_ended(row, failure) for row in batch.rows()])
        if self.parameters is not None:
            self.panel.refresh()

    # results

    def _load_selected(self) -> None:
        for index in self._selected():
            self._load_row(index)

    def _load_row(self, index: int) -> None:
        with telling(_("The result could not be loaded."), wait_cursor=True):
            batch = self._list()
            load(batch, batch.rows()[index])


def load(batch: BatchList, row: Row) -> Any:
    """Load the labels of a row.

    Returns
    -------
    vtkMRMLSegmentationNode
        The segmentation, on the volume of the scene that the row stands for, if it stands for one.

    Raises
    ------
    InputError
        When there is no result, or it is too large or no Slicer segmentation.
    """
    path, volume = Path(row.output), batch.volume(row)
    if row.status not in batchlist.FINISHED or not path.is_file():
        raise InputError(f"{row.input} has no result yet", "run the batch")
    if not path.name.endswith(".seg.nrrd"):
        raise InputError(
            f"{path} is no Slicer segmentation", f"convert it: implantseg convert {path.name} OUT.seg.nrrd"
        )
    if header.voxels_in(path) > LOADED_BYTES:
        raise InputError(f"{path} is too large to be loaded", "cut a part out of it: implantseg convert --crop")
    name = f"{path.name.removesuffix('.seg.nrrd')} segmentation"
    return segments.load(path, name, volume, None, volume.GetTransformNodeID() if volume is not None else None)


def _saved(volume: Any, path: Path) -> Path:
    """Write a volume; a file that holds the same stays as it is, so that the run knows it again and goes on with it."""
    new = mrml.save_volume(volume, path.with_name(f"{path.stem}.new.nrrd"))
    if path.is_file() and filecmp.cmp(new, path, shallow=False):
        new.unlink()
    else:
        new.replace(path)
    return path


def _begun_again(row: Row, folder: Path | None = None) -> Row:
    """Give an unfinished row as it is before a run; its labels go into the folder where they have no other."""
    output = str(folder / row.output) if folder is not None else row.output
    if row.status in batchlist.FINISHED:
        return replace(row, output=output)
    return replace(row, status=batchlist.WAITING, message="", output=output)


def _ended(row: Row, failure: Failure | None) -> Row:
    """Give a row as it is when the run is over: nothing runs any more."""
    if row.status != batchlist.RUNNING:
        return row
    if failure is None or failure.kind == "cancelled":
        return replace(row, status=batchlist.WAITING, message="")
    return replace(row, status=batchlist.FAILED, message=sentence(failure.message, failure.remedy))
