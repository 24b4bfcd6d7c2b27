"""What a job writes, and whether it can be written: asked before an hour of work is lost on it."""

from __future__ import annotations

import itertools
from pathlib import Path

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import check_writable, refuse_overwriting
from ImplantSegLib.inference.job import SegmentJob, job_path
from ImplantSegLib.volumes import formats


def outputs(job: SegmentJob) -> list[Path]:
    """Files and folders that a job writes, the labels first."""
    wanted = (job.output, job.uncertainty, job.probabilities, job_path(job.output))
    return [path for path in wanted if path is not None]


def check_outputs(job: SegmentJob) -> None:
    """Refuse a job whose results cannot be written, would replace its scan, or would replace each other.

    Raises
    ------
    InputError
        Naming the file.
    """
    formats.check_replaceable(job.output, formats.of_output(job.output))
    if job.uncertainty is not None:
        name = formats.of_output(job.uncertainty)
        if name == "seg.nrrd":
            raise InputError(f"got {job.uncertainty} for the uncertainty, which is no segmentation", "pass a .nrrd")
        formats.check_replaceable(job.uncertainty, name)
    if job.probabilities is not None:
        formats.check_replaceable(job.probabilities, "zarr")
    for path in outputs(job):
        refuse_overwriting(job.input, path)
        check_writable(path.parent)
    for first, second in itertools.combinations(outputs(job), 2):
        if first.resolve() == second.resolve():
            raise InputError(f"got {first} for two results", "choose two names")
