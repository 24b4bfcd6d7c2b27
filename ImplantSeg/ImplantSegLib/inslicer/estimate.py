"""The section above the button: what a run would take, asked from the command itself before the run."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError, size_text
from ImplantSegLib.inslicer.commands import Network, Preparation
from ImplantSegLib.inslicer.environment import EnvironmentSection
from ImplantSegLib.inslicer.grid import Grid
from ImplantSegLib.inslicer.input import InputSection
from ImplantSegLib.inslicer.result import ResultSection
from ImplantSegLib.inslicer.runner import Runner, ask
from ImplantSegLib.inslicer.section import WARNING_COLOUR, Section, sentence
from ImplantSegLib.inslicer.worker import Failure, clock

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel

WAIT_MS = 1500
"""Time without a change after which an estimate is made by itself."""


def scan_grid(panel: Panel) -> Grid | None:
    """Give the voxels that the network would see, or ``None`` while there is no scan that can be segmented."""
    source = panel.section(InputSection)
    if not source.voxel_size_told:
        return None
    try:
        scan = source.scan()
        scan.check()
        return Grid.of(scan, Preparation.of(panel.parameters).binning)
    except InputError:
        return None  # the section Scan tells why


@dataclass(frozen=True)
class Question:
    """What an estimate depends on."""

    grid: Grid
    options: tuple[str, ...]
    output: Path
    prepared: bool
    """Whether the scan is preprocessed first, which the estimate leaves out."""


class EstimateSection(Section):
    """Asks ``segment --dry-run`` for a scan of the same size, without writing the scan."""

    FORM = "ImplantSegEstimate.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self._asked: Question | None = None
        self._asking: Runner | None = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.connect("timeout()", self.estimate)
        self.ui.estimateButton.connect("clicked(bool)", self._on_button)
        self.ui.estimateWarningLabel.styleSheet = f"color: {WARNING_COLOUR}"
        self._tell("")

    def refresh(self) -> None:
        """Make a new estimate in a moment, where anything has changed that it depends on."""
        running = self.panel.run.runner.running
        question = self._question()
        self.ui.estimateButton.enabled = question is not None and not running
        if question == self._asked and not (running and self._asking_now):
            return
        self.close()
        wanted = question is not None and not running
        self._tell(_("Estimating …") if wanted else "")
        if wanted:
            self._timer.start()

    def estimate(self) -> None:
        """Ask now; a run that goes on would make the answer wrong, and is not disturbed."""
        question = self._question() if self.parameters is not None else None
        if question is None or self.panel.run.runner.running:
            return
        self.close()
        self._asked = question
        folder = Path(tempfile.mkdtemp(prefix="ImplantSeg-", dir=slicer.app.temporaryPath))
        scan = question.grid.write(folder / "scan.zarr")
        arguments: list[str | Path] = [
            scan,
            question.output,
            *question.options,
            *question.grid.options(),
            "--dry-run",
            "--json",
        ]
        self._asking = ask(
            "segment",
            arguments,
            lambda output: self._on_answer(question, json.loads(output)),
            self._on_failure,
            lambda: shutil.rmtree(folder, ignore_errors=True),
        )

    def close(self) -> None:
        """Ask no longer."""
        self._timer.stop()
        self._asked = None
        if self._asking is not None:
            self._asking.close()

    def scene_closed(self) -> None:
        """Tell no more about a scan that is gone."""
        self._tell("")

    @property
    def _asking_now(self) -> bool:
        return self._asking is not None and self._asking.running

    def _on_button(self) -> None:
        self._tell(_("Estimating …"))
        self.estimate()

    def _question(self) -> Question | None:
        grid = scan_grid(self.panel)
        if grid is None or self.panel.section(EnvironmentSection).problems():
            return None
        output = self.panel.section(ResultSection).path or Path(slicer.app.temporaryPath) / "labels.seg.nrrd"
        options = tuple(str(option) for option in Network.of(self.parameters).arguments())
        return Question(grid, options, output, Preparation.of(self.parameters).needed)

    def _on_answer(self, question: Question, answer: Mapping[str, Any]) -> None:
        facts = self.panel.section(EnvironmentSection).facts
        warnings = [*answer["warnings"], *memory_warning(answer, facts)]
        self._tell(text_of(answer, question.prepared), "\n".join(map(sentence, warnings)))

    def _on_failure(self, failure: Failure) -> None:
        if failure.kind != "cancelled":
            self._tell("", sentence(failure.message, failure.remedy))

    def _tell(self, text: str, warning: str = "") -> None:
        self.ui.estimateLabel.text = text
        self.ui.estimateWarningLabel.text = warning
        self.ui.estimateWarningLabel.visible = bool(warning)


def text_of(answer: Mapping[str, Any], prepared: bool) -> str:
    """Say in one line what ``segment --dry-run --json`` tells."""
    where = {"cpu": _("the CPU")}.get(answer["device"], _("the GPU"))
    text = _("About {time} on {device} ({precision}), at most {memory} of memory and {disk} of disk").format(
        time=clock(answer["seconds"]),
        device=where,
        precision=answer["precision"],
        memory=size_text(answer["memory_bytes"]),
        disk=size_text(answer["disk_bytes"]),
    )
    return text + (_("; preprocessing comes before that.") if prepared else ".")


def memory_warning(answer: Mapping[str, Any], facts: Mapping[str, Any] | None) -> Sequence[str]:
    """Tell when a run would need more memory than is free."""
    free = facts["memory_free_bytes"] if facts else None
    if free is None or answer["memory_bytes"] <= free:
        return []
    needs, has = size_text(answer["memory_bytes"]), size_text(free)
    return [
        _("The run may need {needs} of memory, {has} are free: lower the memory limit.").format(needs=needs, has=has)
    ]
