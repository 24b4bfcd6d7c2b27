"""The uncertainty that ``quantify`` tells: opens and checks probabilities and calibration, and adds the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib import calibration as calibrations
from ImplantSegQuantLib import compare, uncertainty
from ImplantSegQuantLib.draws import ErrorModel
from ImplantSegQuantLib.measurement import Measurement

if TYPE_CHECKING:
    from ImplantSegLib.inference.probabilities import StoredProbabilities
    from ImplantSegQuantLib.calibration import Calibration
    from ImplantSegQuantLib.sample import Sample
    from ImplantSegQuantLib.uncertainty import Subject

KEY = "calibration"
"""What the metadata of probabilities call the calibration of their model."""

_OTHER_PERCENT = 5.0
"""Labels that are not the most likely ones: more than this share, and the probabilities are of another scan."""

_VOXEL_FACTOR = 1.2
"""Voxels differ from those of a calibration by more than this: a warning, as for models."""


class Wanted(Protocol):
    """What a job says of its intervals."""

    @property
    def probabilities(self) -> str | None:
        """OME-Zarr of class probabilities."""
        ...

    @property
    def calibration(self) -> str | None:
        """Calibration, instead of that of the probabilities."""
        ...

    @property
    def draws(self) -> int:
        """Drawn segmentations."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the draws."""
        ...

    @property
    def bounds(self) -> bool:
        """Whether the half-voxel bound is told where there are no intervals."""
        ...

    @property
    def level(self) -> float:
        """Level of the intervals in %."""
        ...

    @property
    def spacing_um(self) -> tuple[float, float, float] | None:
        """Voxel size instead of what the files say."""
        ...


class Chances(NamedTuple):
    """Class probabilities of a scan, and what they are worth."""

    probabilities: StoredProbabilities
    calibration: Calibration | None
    warnings: list[str]


class Judged(NamedTuple):
    """Measurements with their uncertainty."""

    measurements: list[Measurement]
    told: dict[str, Any]
    """How the intervals were made, for ``results.json``."""
    warnings: list[str]


def check(job: Wanted) -> None:
    """Refuse options that cannot be.

    Raises
    ------
    InputError
        For a level or a number of draws that makes no interval, or a calibration without probabilities.
    """
    uncertainty.check_level(job.level)
    _sampling(job)
    if job.calibration and not job.probabilities:
        raise InputError("got a calibration but no probabilities, which the intervals need", "pass --probabilities P")


def _sampling(job: Wanted) -> uncertainty.Sampling:
    return uncertainty.Sampling(job.draws, max(2, job.draws // 2), ErrorModel(seed=job.seed))


def open_chances(job: Wanted, sample: Sample) -> Chances | None:
    """Open the probabilities of a job and their calibration; None where there are none.

    Raises
    ------
    InputError
        For probabilities of another grid, another scan or another model than the segmentation, and for a calibration of
        another model.
    """
    if job.probabilities is None:
        return None
    from ImplantSegLib.inference.probabilities import StoredProbabilities

    probabilities, segmentation = StoredProbabilities(job.probabilities), sample.segmentation
    grid = probabilities.grid
    if job.spacing_um is not None:
        grid = replace(grid, spacing_mm=segmentation.spacing_mm)
    compare.check_same_grid(segmentation, grid, "segmentation", "probabilities")
    models = [volume.metadata.get("model_sha256") for volume in (segmentation, grid)]
    if None not in models and models[0] != models[1]:
        raise InputError(
            f"the probabilities {job.probabilities} are of another model than the segmentation",
            "pass both results of one run of `implantseg segment`",
        )
    _refuse_other_scan(job, sample, probabilities)
    calibration = _calibration(job, grid.metadata)
    return Chances(probabilities, calibration, _doubts(job, sample, calibration, models[1]))


def _refuse_other_scan(job: Wanted, sample: Sample, probabilities: StoredProbabilities) -> None:
    """Look whether the labels are the most likely ones, in the first, the middle and the last slices."""
    other = seen = 0
    every = list(sample.windows())
    for number in {0, len(every) // 2, len(every) - 1}:
        window = every[number]
        labels, chances = sample.labels(window.z), probabilities.slab(window.z)
        known = labels < probabilities.classes
        own = np.take_along_axis(chances, np.where(known, labels, 0)[None], axis=0)[0]
        other += int(np.count_nonzero(known & (own.astype(np.int16) + 1 < chances.max(axis=0))))
        seen += int(np.count_nonzero(known))
    if seen and 100 * other > _OTHER_PERCENT * seen:
        raise InputError(
            f"the probabilities {job.probabilities} do not belong to the segmentation: {100 * other / seen:.0f} % of "
            f"its labels are not the most likely ones, wanted at most {_OTHER_PERCENT:g} %",
            "pass both results of one run of `implantseg segment`; labels that were corrected by hand have none",
        )


def _calibration(job: Wanted, metadata: Any) -> Calibration | None:
    """Calibration that the job names, else that of the probabilities."""
    if job.calibration is not None:
        found = calibrations.load(job.calibration)
        model = metadata.get("model_sha256")
        if model is not None and found.model_sha256 != model:
            raise InputError(
                f"the calibration {job.calibration} is of another model (weights {found.model_sha256[:8]}) than the "
                f"probabilities ({model[:8]})",
                "calibrate this model: implantseg calibrate --help",
            )
        return found
    text = metadata.get(KEY)
    return calibrations.parse(text, str(job.probabilities)) if text else None


def _doubts(job: Wanted, sample: Sample, calibration: Calibration | None, model: str | None) -> list[str]:
    """Why a calibration might not hold for this scan."""
    if calibration is None:
        return []
    doubts = []
    steps = 1000 * np.array(sample.segmentation.spacing_mm)
    ratio = float(np.exp(np.mean(np.log(steps / calibration.spacing_um))))
    if not 1 / _VOXEL_FACTOR <= ratio <= _VOXEL_FACTOR:
        known = " × ".join(f"{step:.4g}" for step in calibration.spacing_um)
        doubts.append(
            f"the voxels are {ratio:.2f} times as large as those of the calibration ({known} µm): intervals may not "
            "hold"
        )
    if model is None:
        doubts.append("the probabilities do not tell their model, so nobody knows whether the calibration is its own")
    if job.draws < calibration.draws:
        doubts.append(f"got {job.draws} draws, the calibration had {calibration.draws}: the intervals may not hold")
    return doubts


def judge(job: Wanted, subject: Subject, measurements: Sequence[Measurement], chances: Chances | None) -> Judged:
    """Add bounds, and intervals where there are probabilities, to what was measured."""
    if chances is None and not job.bounds:
        return Judged(list(measurements), {}, [])
    bounded, shifts = uncertainty.with_bounds(measurements, subject)
    if chances is None:
        return Judged(bounded, {}, [])
    sampling = _sampling(job)
    spreads = uncertainty.spreads(
        uncertainty.values_of(measurements),
        shifts,
        uncertainty.drawn_values(subject, chances.probabilities, sampling),
        uncertainty.posed_values(subject, sampling),
    )
    judged = uncertainty.with_intervals(bounded, spreads, chances.calibration, job.level)
    warnings = [*chances.warnings, *uncertainty.warnings_of(judged, chances.calibration, job.level)]
    return Judged(judged, _told(job, sampling, subject, chances), warnings)


def _told(job: Wanted, sampling: uncertainty.Sampling, subject: Subject, chances: Chances) -> dict[str, Any]:
    metadata, calibration = chances.probabilities.grid.metadata, chances.calibration
    return {
        "level": job.level,
        "method": "uncalibrated" if calibration is None else "calibrated",
        "draws": sampling.draws,
        "poses": sampling.poses,
        "correlation_voxels": sampling.errors.correlation_voxels,
        "seed": sampling.errors.seed,
        "model": metadata.get("model"),
        "model_sha256": metadata.get("model_sha256"),
        "spacing_um": [1000 * step for step in subject.sample.segmentation.spacing_mm],
        "calibration": None
        if calibration is None
        else {"scans": calibration.scans, "implantseg": calibration.implantseg, "draws": calibration.draws},
    }
