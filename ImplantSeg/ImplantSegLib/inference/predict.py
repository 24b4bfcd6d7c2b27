"""The run of ``segment``: scan and model in, labels on disk out, slab by slab and resumable."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import jobs, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.inputs import Model, advice, open_model, open_scan, part_of
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.likeness import sentences
from ImplantSegLib.inference.outputs import check_outputs
from ImplantSegLib.inference.results import write_results
from ImplantSegLib.inference.uncertainty import entropy
from ImplantSegLib.inference.work import Work
from ImplantSegLib.preprocess import normalise
from ImplantSegLib.preprocess.pipeline import with_fov
from ImplantSegLib.volumes import FieldOfView, Volume

if TYPE_CHECKING:
    from ImplantSegLib.inference.plan import Plan
    from ImplantSegLib.inference.runtime import Predictor
    from ImplantSegLib.models import Bundle

_AT_ONCE = 2**22
"""Voxels that are averaged in one call of a library, which no cancellation interrupts."""

_log = logging.getLogger(__name__)


@dataclass
class Run:
    """A job that is ready to run.

    Parameters
    ----------
    job : SegmentJob
        What was asked for.
    scan : Volume
        Raw or normalised scan, with its field of view in the metadata.
    bundle : Bundle
        The model.
    predictor : Predictor
        The network on its device.
    plan : Plan
        How the scan is cut.
    precision : str
        Numbers that the network computes with.
    """

    job: SegmentJob
    scan: Volume
    bundle: Bundle
    predictor: Predictor
    plan: Plan
    precision: str


def disk_bytes(job: SegmentJob, scan: Volume) -> int:
    """Bound on the disk space of a run: labels and uncertainty twice, probabilities once."""
    per_voxel = 2 + (2 if job.uncertainty else 0) + (4 if job.probabilities else 0)
    return int(np.prod(scan.shape, dtype=np.int64)) * per_voxel


def segment(job: SegmentJob, resume: bool = False, model: Model | None = None) -> SegmentJob:
    """Segment a scan; writes the labels, ``OUT.job.toml`` and, when asked for, uncertainty and probabilities.

    All results get their names at the end, or none does.

    An interrupted run leaves the folder ``.OUT.work`` beside the output, from which ``resume`` goes on; the labels
    are the same, bit for bit, as without the interruption.

    Parameters
    ----------
    job : SegmentJob
        What to do.
    resume : bool
        Whether to go on with an unfinished run of the same job, if there is one.
    model : Model, optional
        The job's model, where it is open already.

    Returns
    -------
    SegmentJob
        The job with what was found and its provenance, as it was written.

    Raises
    ------
    InputError
        For a scan or model that cannot be read, NaN or infinite voxels, a constant scan, or an output that cannot
        be written.
    MemoryLimitError
        When the smallest possible cut does not fit into the memory allowed.
    """
    check_outputs(job)
    model = model or open_model(job.model)
    bundle = model.bundle
    scan = open_scan(job, bundle)
    for sentence in advice(scan, bundle):
        _log.warning("%s", sentence)
    work = Work(job.output, job.key(bundle.weights_sha256))
    resumed = resume and work.resume(job.probabilities is not None)
    if resume and not resumed:
        _log.warning("nothing to resume for %s: starting anew", job.output)
    run = prepare(job, scan, model, work.found if resumed else None)
    for sentence in sentences(run.scan, bundle) if not resumed else []:
        _log.warning("%s", sentence)
    with _kept_when_interrupted(work):
        if not resumed:
            work.start(_found(run), disk_bytes(job, run.scan))
        predict(run, work)
        provenance = {**jobs.provenance(scan=job.input, model=bundle.path), "model": bundle.weights_sha256}
        found = {**work.found, "key": job.result_key(bundle.weights_sha256)}
        finished = dataclasses.replace(job, found=found, provenance=provenance)
        write_results(finished, run.scan, bundle, work)
    work.remove()
    return finished


def prepare(job: SegmentJob, scan: Volume, model: Model, found: dict[str, Any] | None = None) -> Run:
    """Load the network and decide what the job leaves open.

    Parameters
    ----------
    job : SegmentJob
        What was asked for.
    scan : Volume
        As it was read.
    model : Model
        With which model.
    found : dict, optional
        What an earlier run of this job decided; it is decided alike.
    """
    from ImplantSegLib.inference import runtime
    from ImplantSegLib.inference.plan import Plan, cut

    device = runtime.choose_device(job.device)
    precision = runtime.choose_precision(job.precision, device) if found is None else found["precision"]
    if found is None:
        scan = _ready(part_of(with_fov(scan, job.fov), job), model.bundle)
        plan = cut(scan, job, model.pixel_bytes, device)
    else:
        scan = part_of(scan, job)
        scan = scan.like(scan.array, fov=found["fov"], **{normalise.KEY: found[normalise.KEY]})
        plan = Plan(**found["plan"])
    predictor = runtime.Predictor(model.network, plan.windows, device, precision, job.mirror)
    _log.info("%s on %s in %s, %s", model.bundle.name, device, precision, plan)
    return Run(job, scan, model.bundle, predictor, plan, precision)


def predict(run: Run, work: Work) -> None:
    """Compute all slabs that are not done yet; labels, uncertainty and probabilities lie in the work folder.

    Parameters
    ----------
    run : Run
        What to compute.
    work : Work
        Where the labels go, and how far they are.
    """
    probabilities = _probabilities(run, work) if run.job.probabilities else None
    with progress.stage("segment", run.scan.shape[0] - work.done, "slice") as advance:
        for z in run.plan.slabs(run.scan.shape[0]):
            if z.stop <= work.done:
                continue
            values = smoothed_slab(run, z)
            if probabilities is not None:
                probabilities.write(z, values)
            work.append(**_layers(run, z, values))
            advance(z.stop - z.start)


def smoothed_slab(run: Run, z: slice) -> npt.NDArray[np.float32]:
    """Probabilities (4, nz, Y, X) of slices ``z``, averaged with those of their neighbours.

    A 2D network sees no neighbours: its borders jump from slice to slice, which makes faces that are not there. The
    neighbours of a slab's ends are computed again in the next slab, so that the depth of slabs does not matter.
    """
    reach = run.job.reach
    first, last = max(z.start - reach, 0), min(z.stop + reach, run.scan.shape[0])
    values = run.predictor.block(grey_slab(run.scan, slice(first, last)))
    average_across(values, run.job.across, reach)
    return values[:, z.start - first : z.stop - first]


def average_across(values: npt.NDArray[np.float32], sigma: float, reach: int) -> None:
    """Average probabilities (4, nz, Y, X) across slices, in place, by a Gaussian cut at ``reach`` slices."""
    if not reach:
        return
    from scipy.ndimage import gaussian_filter1d

    rows = max(1, _AT_ONCE // max(values[0, :, 0].size, 1))
    for one, start in itertools.product(values, range(0, values.shape[2], rows)):  # a second copy of a part only
        part = one[:, start : start + rows]
        part[...] = gaussian_filter1d(part, sigma, axis=0, mode="nearest", radius=reach)


def grey_slab(scan: Volume, z: slice) -> npt.NDArray[np.float32]:
    """Slices ``z`` of a prepared scan in [0, 1], shape (nz, Y, X); 0 outside of the field of view.

    Raises
    ------
    InputError
        For NaN or infinite voxels inside the field of view.
    """
    low, high = map(float, scan.metadata[normalise.KEY].split(","))
    block = np.asarray(scan.array[z])
    mask = FieldOfView.of(scan).slab_mask(z, scan.shape)
    if block.dtype.kind == "f" and not np.isfinite(normalise.masked(block, mask)).all():
        raise InputError(f"slices {z.start} to {z.stop - 1} of the scan have NaN or infinite voxels", "replace them")
    return normalise.scale(block, low, high)


def _ready(scan: Volume, bundle: Bundle) -> Volume:
    """Scan that tells, as metadata ``normalised``, the grey values that become 0 and 1."""
    if normalise.KEY in scan.metadata:
        return scan.like(scan.array, **{normalise.KEY: "0.0,1.0"})
    asked = bundle.preprocessing
    low, high = normalise.robust_range(
        scan,
        asked.get("low_percent", normalise.LOW_PERCENT),
        asked.get("high_percent", normalise.HIGH_PERCENT),
    )
    return scan.like(scan.array, **{normalise.KEY: f"{low!r},{high!r}"})


def _found(run: Run) -> dict[str, Any]:
    return {
        "device": str(run.predictor.device),
        "precision": run.precision,
        "plan": dataclasses.asdict(run.plan),
        normalise.KEY: run.scan.metadata[normalise.KEY],
        "fov": run.scan.metadata["fov"],
    }


def _layers(run: Run, z: slice, values: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.uint8]]:
    mask = FieldOfView.of(run.scan).slab_mask(z, run.scan.shape)
    labels = np.empty(values.shape[1:], np.uint8)
    for index in range(len(labels)):
        labels[index] = values[:, index].argmax(axis=0)
    if mask is not None:
        labels[~mask] = 0
    return {"labels": labels, **({"uncertainty": entropy(values, mask)} if run.job.uncertainty else {})}


def _probabilities(run: Run, work: Work) -> Any:
    from ImplantSegLib.inference.probabilities import Probabilities

    told = {"model": run.bundle.name, "model_sha256": run.bundle.weights_sha256}
    if run.bundle.calibration:
        told["calibration"] = json.dumps(run.bundle.calibration, ensure_ascii=False)
    return Probabilities(work.probabilities, run.scan, run.plan.depth, told)


@contextmanager
def _kept_when_interrupted(work: Work) -> Iterator[None]:
    """Keep what is done when a run is interrupted or hits a bug; delete it when its input is at fault."""
    try:
        yield
    except BaseException as error:
        mendable = not isinstance(error, InputError) or isinstance(error.__cause__, OSError)  # such as a full disk
        if work.done and mendable:
            _log.warning("%d slices are done and kept in %s; go on with --resume", work.done, work.folder)
        else:
            work.remove()
        raise
