"""Samples for Slicer's module Sample Data: the scan of a synthetic explant, its true labels, its reference screw.

They are not downloaded but made by ``implantseg phantom`` in a child process; a sample is made once per session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

import ImplantSegLib
from ImplantSegLib.inslicer import mrml, samples, segments
from ImplantSegLib.inslicer.runner import Runner, Silent, Step
from ImplantSegLib.inslicer.samples import FILES, Sample
from ImplantSegLib.inslicer.section import sentence, telling
from ImplantSegLib.inslicer.worker import Failure, Progress

_at_work: dict[str, Runner] = {}
"""Runs by the sample's folder: a run that nobody holds would end."""


def register() -> None:
    """Offer the samples in the module Sample Data."""
    import SampleData

    logic = SampleData.SampleDataLogic
    logic.registerCustomSampleDataCategory(samples.CATEGORY, title=samples.CATEGORY)
    icons = Path(ImplantSegLib.__path__[0]).parent / "Resources" / "Icons"
    for sample in samples.SAMPLES:
        logic.registerCustomSampleDataSource(
            category=samples.CATEGORY,
            sampleName=sample.button,
            uris=f"implantseg:phantom/{sample.key}",  # a source must have one; nothing is downloaded from it
            fileNames=FILES["scan"],
            nodeNames=sample.title,
            thumbnailFileName=str(icons / f"{sample.name}.png"),
            customDownloader=make,
        )


def make(source: Any) -> None:
    """Make the sample of a source and load it; returns at once.

    Parameters
    ----------
    source : SampleData.SampleDataSource
        One of those that :func:`register` has registered.
    """
    sample = next(one for one in samples.SAMPLES if one.button == source.sampleName)
    folder = Path(slicer.app.temporaryPath) / sample.key
    if sample.key in _at_work:
        slicer.util.showStatusMessage(_("The sample is being made …"), 3000)
    elif all((folder / name).is_file() for name in FILES.values()):
        _load(sample, folder)
    else:
        runner = _at_work[sample.key] = Runner(_Teller(sample.title))
        step = Step(_("making the phantom"), "phantom", sample.arguments(folder))
        runner.start([step], lambda _: _load(sample, folder), lambda _: _forget(sample))


def load(sample: Sample, folder: Path) -> list[Any]:
    """Load what was made.

    Returns
    -------
    list of vtkMRMLNode
        The scan; with the truth, its segmentation and the reference screw as a label volume too.
    """
    scan = mrml.load_volume(folder / FILES["scan"], sample.title)
    slicer.util.setSliceViewerLayers(background=scan, fit=True)
    if not sample.truth:
        return [scan]
    truth = segments.load(folder / FILES["truth"], f"{sample.title} truth", scan)
    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", f"{sample.title} reference screw")
    return [scan, truth, mrml.load_volume(folder / FILES["reference"], "", reference)]


def _load(sample: Sample, folder: Path) -> None:
    with telling(_("The sample could not be loaded."), wait_cursor=True):
        load(sample, folder)


def _forget(sample: Sample) -> None:
    del _at_work[sample.key]


class _Teller(Silent):
    """Tells in the status bar how far it is, and in a message why it failed."""

    def __init__(self, title: str) -> None:
        self._title = title

    def on_progress(self, progress: Progress) -> None:
        """Show how far it is."""
        slicer.util.showStatusMessage(f"{self._title}: {progress}", 3000)

    def on_end(self, failure: Failure | None) -> None:
        """Say why there is no sample."""
        if failure is not None:
            slicer.util.errorDisplay(
                f"{_('The sample could not be made.')}\n\n{sentence(failure.message, failure.remedy)}"
            )
