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
from ImplantSegLib.files import refuse_overwriting
from ImplantSegLib.inference.job import SegmentJob, job_path
from ImplantSegLib.inference.work import Work
from ImplantSegLib.preprocess import normalise
from ImplantSegLib.preprocess.pipeline import with_fov
from ImplantSegLib.volumes import Box, FieldOfView, Volume, create, cropped, formats, read

if TYPE_CHECKING:
    from ImplantSegLib.inference.plan import Plan
    from ImplantSegLib.inference.runtime import Predictor
    from ImplantSegLib.models import Bundle

_log = logging.getLogger(__name__)

_SPACING_RATIO = 1.2


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

    @property
    def disk_bytes(self) -> int:
        """Bound on the disk space that the run needs: labels twice, probabilities once."""
        return int(np.prod(self.scan.shape, dtype=np.int64)) * (2 + (4 if self.job.probabilities else 0))


def segment(job: SegmentJob, resume: bool = False) -> SegmentJob:
    """Segment a scan; writes the labels, ``OUT.job.toml`` and, when asked for, the probabilities.

    An interrupted run leaves the folder ``.OUT.work`` beside the output, from which ``resume`` goes on; the labels
    are the same, bit for bit, as without the interruption.

    Parameters
    ----------
    job : SegmentJob
        What to do.
    resume : bool
        Whether to go on with an unfinished run of the same job, if there is one.

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
    formats.of_output(job.output)
    refuse_overwriting(job.input, job.output)
    scan, bundle = open_inputs(job)
    work = Work(job.output, job.key(bundle.weights_sha256))
    resumed = resume and work.resume()
    run = prepare(job, scan, bundle, work.found if resumed else None)
    with _kept_when_interrupted(work):
        if not resumed:
            work.start(_found(run), run.disk_bytes)
        labels = predict(run, work)
        _write(run, labels)
        if job.probabilities is not None:
            _probabilities(run, work).move_to(job.probabilities)
    provenance = {**jobs.provenance(scan=job.input, model=bundle.path), "model": bundle.weights_sha256}
    finished = dataclasses.replace(job, found=work.found, provenance=provenance)
    jobs.save(finished, job_path(job.output))
    work.remove()
    return finished


def open_inputs(job: SegmentJob) -> tuple[Volume, Bundle]:
    """Open scan and model, and warn when the scan's voxels differ much from those the model was trained on."""
    from ImplantSegLib.models import load
    from ImplantSegLib.models.registry import find

    scan, bundle = read(job.input, job.spacing_um), load(find(job.model))
    if bundle.spacing_mm is None:
        return scan, bundle
    ratio = float(np.exp(np.mean(np.log(np.divide(scan.spacing_mm, bundle.spacing_mm)))))
    trained = " × ".join(f"{1000 * step:.4g}" for step in bundle.spacing_mm)
    if scan.metadata.get("voxel_size_known") == "no":
        _log.warning("the voxel size of the scan is unknown; the model was trained at %s µm", trained)
    elif not 1 / _SPACING_RATIO <= ratio <= _SPACING_RATIO:
        _log.warning(
            "the voxels of the scan are %.2f times as large as the %s µm that the model was trained at", ratio, trained
        )
    return scan, bundle


def prepare(job: SegmentJob, scan: Volume, bundle: Bundle, found: dict[str, Any] | None = None) -> Run:
    """Load the network and decide what the job leaves open.

    Parameters
    ----------
    job : SegmentJob
        What was asked for.
    scan : Volume
        As it was read.
    bundle : Bundle
        The model.
    found : dict, optional
        What an earlier run of this job decided; it is decided alike.
    """
    from ImplantSegLib.inference import runtime
    from ImplantSegLib.inference.plan import Plan, gpu_tile, make_plan

    device = runtime.choose_device(job.device)
    precision = runtime.choose_precision(job.precision, device) if found is None else found["precision"]
    network = bundle.load_network()
    if found is None:
        scan = _ready(_cropped(with_fov(scan, job.fov), job), bundle)
        pixel_bytes = runtime.bytes_per_pixel(network)
        tile = gpu_tile(device, job.tile, pixel_bytes)
        plan = make_plan(scan, pixel_bytes, tile, min(job.overlap, tile // 2), job.max_memory, job.reach)
    else:
        scan = _cropped(scan, job)
        scan = scan.like(scan.array, fov=found["fov"], **{normalise.KEY: found[normalise.KEY]})
        plan = Plan(**found["plan"])
    predictor = runtime.Predictor(network, plan.windows, device, precision, job.mirror)
    _log.info("%s on %s in %s, %s", bundle.name, device, precision, plan)
    return Run(job, scan, bundle, predictor, plan, precision)


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


def _cropped(scan: Volume, job: SegmentJob) -> Volume:
    return cropped(scan, Box.parse(job.crop)) if job.crop else scan


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
