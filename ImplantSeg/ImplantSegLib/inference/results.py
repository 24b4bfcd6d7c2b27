"""What a finished run leaves: labels, uncertainty, probabilities and the job, all of them or none."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ImplantSegLib import jobs, progress
from ImplantSegLib.files import atomic_path
from ImplantSegLib.inference.job import SegmentJob, job_path
from ImplantSegLib.inference.postprocess import cleaned
from ImplantSegLib.inference.uncertainty import MEANING
from ImplantSegLib.inference.work import Work
from ImplantSegLib.preprocess.normalise import KEY
from ImplantSegLib.volumes import Volume, create

if TYPE_CHECKING:
    from ImplantSegLib.models import Bundle

_SLAB_BYTES = 2**24
"""A slab that is compressed in a moment, so that a run can be cancelled between two."""

Blocks = Iterable[npt.NDArray[np.uint8]]


def write_results(job: SegmentJob, scan: Volume, bundle: Bundle, work: Work) -> None:
    """Write the results of a run from its work folder.

    Every file is written whole under a temporary name; only then all get their names, one right after the other.

    Parameters
    ----------
    job : SegmentJob
        The finished job, with what was found and its provenance.
    scan : Volume
        The scan, cropped, with its field of view.
    bundle : Bundle
        The model.
    work : Work
        The folder; what is left of it can still be resumed when this fails.
    """
    metadata = {key: value for key, value in scan.metadata.items() if key != KEY}
    metadata |= {"model": bundle.name, "model_sha256": bundle.weights_sha256}
    with ExitStack() as files:
        _write(files, job.output, scan, {**metadata, "content": "labels"}, _labels(job, scan, work))
        if job.uncertainty is not None:
            told = {**metadata, "content": "uncertainty", "uncertainty": MEANING}
            _write(files, job.uncertainty, scan, told, _blocks(scan.like(work.layer("uncertainty", scan.shape))))
        _write_text(files, job_path(job.output), jobs.to_toml(job))
        if job.probabilities is not None:  # last: moved away, they are lost to a run that is resumed
            shutil.move(work.probabilities, files.enter_context(atomic_path(job.probabilities)))


def _labels(job: SegmentJob, scan: Volume, work: Work) -> Blocks:
    labels = scan.like(work.layer("labels", scan.shape))
    return cleaned(labels, job.island_mm3, job.keep_largest) if job.postprocess else _blocks(labels)


def _blocks(volume: Volume) -> Blocks:
    return (block for _, block in volume.slabs(volume.slab_depth(_SLAB_BYTES)))


def _write(files: ExitStack, path: Path, like: Volume, metadata: dict[str, str], blocks: Blocks) -> None:
    put = files.enter_context(create(path, like, np.uint8, metadata=metadata))
    with progress.stage("write", like.shape[0], "slice") as advance:
        for block in blocks:
            put(block)
            advance(len(block))


def _write_text(files: ExitStack, path: Path, text: str) -> None:
    files.enter_context(atomic_path(path)).write_text(text, encoding="utf-8")
