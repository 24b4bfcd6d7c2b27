"""Temporary files of a run: in Slicer's own folder, gone however the run ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.run import RunSection
    from ImplantSegLib.inslicer.runner import Step

PREFIX = "ImplantSeg-"
"""Start of the names of the folders."""


def new_folder() -> Path:
    """Make an empty folder."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=slicer.app.temporaryPath))


def remove(folder: Path) -> None:
    """Delete a folder with all that is in it; what another program holds open stays."""
    shutil.rmtree(folder, ignore_errors=True)


def start(
    run: RunSection, steps: Callable[[], Sequence[Step]], succeeded: Callable[[str], None], close: Callable[[], None]
) -> None:
    """Start a run that has temporary files.

    Parameters
    ----------
    run : RunSection
        What runs it.
    steps : callable
        Writes the files that the run needs, and gives its steps.
    succeeded : callable
        Called with the output of the last step.
    close : callable
        Removes the files: called last, also when the run cannot start.
    """
    try:
        run.start(steps(), succeeded, lambda _: close())
    except BaseException:
        close()
        raise
