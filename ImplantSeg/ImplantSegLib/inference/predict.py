"""The run of ``segment``: scan and model in, labels on disk out, slab by slab and resumable."""

from __future__ import annotations

import dataclasses
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
from ImplantSegLib.inference.job import SegmentJob, job_path
from ImplantSegLib.inference.outputs import check_outputs
from ImplantSegLib.inference.work import Work
from ImplantSegLib.preprocess import normalise
from ImplantSegLib.preprocess.pipeline import with_fov
from ImplantSegLib.volumes import FieldOfView, Volume, create

if TYPE_CHECKING:
    from ImplantSegLib.inference.plan import Plan
    from ImplantSegLib.inference.runtime import Predictor
    from ImplantSegLib.models import Bundle

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
    """Bound on the disk space of a run: labels twice, probabilities once."""
    return int(np.prod(scan.shape, dtype=np.int64)) * (2 + (4 if job.probabilities else 0))


def segment(job: SegmentJob, resume: bool = False, model: Model | None = None) -> SegmentJob:
    """Segment a scan; writes the labels, ``OUT.job.toml`` and, when asked for, the probabilities.

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
    resumed = resume and work.resume()
    if resume and not resumed:
        _log.warning("nothing to resume for %s: starting anew", job.output)
    run = prepare(job, scan, model, work.found if resumed else None)
    with _kept_when_interrupted(work):
        if not resumed:
            work.start(_found(run), disk_bytes(job, run.scan))
        labels = predict(run, work)
        _write(run, labels)
        if job.probabilities is not None:
            _probabilities(run, work).move_to(job.probabilities)
    provenance = {**jobs.provenance(scan=job.input, model=bundle.path), "model": bundle.weights_sha256}
    finished = dataclasses.replace(job, found=work.found, provenance=provenance)
    jobs.save(finished, job_path(job.output))
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


def predict(run: Run, work: Work) -> Volume:
    """Compute the labels of all slabs that are not done yet; they lie in the work folder.

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
            work.append(_labels(values, FieldOfView.of(run.scan).slab_mask(z, run.scan.shape)))
            advance(z.stop - z.start)
    return run.scan.like(work.labels(run.scan.shape))


def smoothed_slab(run: Run, z: slice) -> npt.NDArray[np.float32]:
    """Probabilities (4, nz, Y, X) of slices ``z``, averaged with those of their neighbours.

    A 2D network sees no neighbours: its borders jump from slice to slice, which makes faces that are not there. The
    neighbours of a slab's ends are computed again in the next slab, so that the depth of slabs does not matter.
    """
    reach = run.job.reach
    first, last = max(z.start - reach, 0), min(z.stop + reach, run.scan.shape[0])
    values = run.predictor.block(grey_slab(run.scan, slice(first, last)))
    if reach:
        from scipy.ndimage import gaussian_filter1d

        for one in values:  # class by class: a second copy of one class only
            one[...] = gaussian_filter1d(one, run.job.across, axis=0, mode="nearest", radius=reach)
    return values[:, z.start - first : z.stop - first]


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


def _labels(values: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.uint8]:
    labels = values.argmax(axis=0).astype(np.uint8)
    if mask is not None:
        labels[~mask] = 0
    return labels


def _probabilities(run: Run, work: Work) -> Any:
    from ImplantSegLib.inference.probabilities import Probabilities

    return Probabilities(work.probabilities, run.scan, run.plan.depth)


def _write(run: Run, labels: Volume) -> None:
    from ImplantSegLib.inference.postprocess import cleaned

    metadata = {key: value for key, value in run.scan.metadata.items() if key != normalise.KEY}
    metadata |= {"content": "labels", "model": run.bundle.name, "model_sha256": run.bundle.weights_sha256}
    depth = labels.slab_depth()
    blocks: Iterator[npt.NDArray[np.uint8]] = (block for _, block in labels.slabs(depth))
    if run.job.postprocess:
        blocks = cleaned(labels, run.job.island_mm3, run.job.keep_largest)
    with create(run.job.output, run.scan, np.uint8, metadata=metadata) as put:
        for block in blocks:
            put(block)


@contextmanager
def _kept_when_interrupted(work: Work) -> Iterator[None]:
    """Keep what is done when a run is interrupted or hits a bug; delete it when its input is at fault."""
    try:
        yield
    except InputError:
        work.remove()
        raise
    except BaseException:
        if work.done:
            _log.warning("%d slices are done and kept in %s; go on with --resume", work.done, work.folder)
        else:
            work.remove()
        raise
