"""A confidence interval for every measurement: from drawn labels, plausible poses and a calibration."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.bounds import Bound, Closed, half_voxel_bounds, half_voxel_shifts, surfaces_of
from ImplantSegQuantLib.draws import ErrorModel, drawn
from ImplantSegQuantLib.measurement import Measurement, Uncertainty
from ImplantSegQuantLib.quantify import measure_all, registered
from ImplantSegQuantLib.roi import ROI_MM, Region
from ImplantSegQuantLib.sample import Sample
from ImplantSegQuantLib.spread import Spread, spread_of

if TYPE_CHECKING:
    from ImplantSegLib.inference.probabilities import StoredProbabilities
    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.calibration import Calibration, Scores
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference

Values = dict[str, float]

LEVEL = 90.0
"""Level of the intervals in %."""

DRAWS = 16
"""Drawn segmentations: their standard deviation is known to 18 %."""

POSES = 8
"""Plausible poses."""

THICKNESS_DRAWS = 4
"""Draws on which the thickness of the layer is measured, too."""

_WALKED_VOXELS = 2**28
"""Voxels that the slabs of all segmentations of one walk may have together."""

_NEIGHBOURS = 16
"""Slices beside those of a slab that a walk keeps."""

CORRECTED = "bone_implant_contact_corrected"
"""BIC without the model's bias, as its calibration knows it."""

BIC = "bone_implant_contact"


@dataclass(frozen=True)
class Sampling:
    """How many segmentations and poses are drawn.

    Parameters
    ----------
    draws, poses : int
        How many of each.
    errors : ErrorModel
        How the errors of neighbouring voxels go together.
    """

    draws: int = DRAWS
    poses: int = POSES
    errors: ErrorModel = field(default_factory=ErrorModel)

    def __post_init__(self) -> None:
        if self.draws < 2 or self.poses < 2:
            raise InputError(f"got {min(self.draws, self.poses)} draws, wanted at least 2", "pass --draws 16")


def check_level(level: float) -> None:
    """Refuse a level that no interval can have.

    Raises
    ------
    InputError
        Naming it.
    """
    if not 50 <= level < 100:
        raise InputError(f"got intervals of {level:g} %, wanted 50 to less than 100", "pass --level 90")


@dataclass(frozen=True)
class Subject:
    """A sample with all that its measures depend on, so that it can be measured again with other labels or poses.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    reference : Reference
        The implant before it degraded.
    pose : Pose
        From the scan to the reference.
    weeks, roi_mm : float
        Healing time, and reach of the region of interest.
    """

    sample: Sample
    reference: Reference
    pose: Pose
    weeks: float
    roi_mm: float = ROI_MM

    def measure(
        self, segmentations: Sequence[Volume], pose: Pose | None = None, parts: Collection[str] = ()
    ) -> list[Values]:
        """Measure other labels on the same grid, in this or another pose, all in one walk over the scan.

        ``parts`` is what :func:`~ImplantSegQuantLib.quantify.measure_all` shall measure besides.
        """
        samples = [replace(self.sample, segmentation=one) for one in segmentations]
        distance = registered(self.reference, pose or self.pose, self.sample.segmentation)
        results = measure_all(samples, distance, self.weeks, self.roi_mm, parts)
        return [values_of(result.measurements) for result in results]

    @property
    def region(self) -> Region:
        """The region of interest."""
        distance = registered(self.reference, self.pose, self.sample.segmentation)
        return Region(self.sample, distance, self.roi_mm)

    def at_once(self) -> int:
        """How many segmentations one walk may take without much memory."""
        _, height, width = self.sample.segmentation.shape
        return max(1, _WALKED_VOXELS // (height * width * (self.sample.slab + _NEIGHBOURS)))


def drawn_values(subject: Subject, probabilities: StoredProbabilities, sampling: Sampling) -> list[Values]:
    """Measure drawn segmentations, in the pose of the subject.

    The thickness of the layer, which takes as long as all else, is measured on the first draws only.
    """
    found: list[Values] = []
    thick, at_once = min(sampling.draws, THICKNESS_DRAWS), subject.at_once()
    with progress.stage("draws", sampling.draws, "sample") as advance:
        for first, last, parts in ((0, thick, {"thickness"}), (thick, sampling.draws, set[str]())):
            for start in range(first, last, at_once):
                numbers = range(start, min(start + at_once, last))
                volumes = [
                    drawn(subject.sample.segmentation, probabilities, sampling.errors, number) for number in numbers
                ]
                with progress.quiet():
                    found += subject.measure(volumes, parts=parts)
                advance(len(numbers))
    return found


def posed_values(subject: Subject, sampling: Sampling) -> list[Values]:
    """Measure the segmentation in plausible poses."""
    from ImplantSegQuantLib.pose_spread import plausible_poses

    sample, found = subject.sample, []
    poses = plausible_poses(
        sample.segmentation, subject.reference, subject.pose, sample.fov, sampling.poses, sampling.errors.seed
    )
    for pose in progress.track(poses, "poses", len(poses), "pose"):
        with progress.quiet():
            found += subject.measure([sample.segmentation], pose)
    return found


def values_of(measurements: Iterable[Measurement]) -> Values:
    """Values by name, without what is undefined."""
    return {one.name: one.value for one in measurements if one.value is not None}


def with_bounds(measurements: Sequence[Measurement], subject: Subject) -> tuple[list[Measurement], Values]:
    """Add the bounds from a boundary shift of half a voxel; give the shifts behind them, too, by name."""
    values, segmentation = values_of(measurements), subject.sample.segmentation
    shifts = half_voxel_shifts(subject.sample, surfaces_of(subject.sample, subject.region.mask), values, subject.weeks)
    with progress.quiet():
        closed = subject.measure([segmentation.like(Closed(segmentation.array))])[0]
    bounds = half_voxel_bounds(values, shifts, closed)
    return [_bounded(one, bounds.get(one.name)) for one in measurements], shifts


def _bounded(one: Measurement, bound: Bound | None) -> Measurement:
    return one if bound is None else replace(one, uncertainty=Uncertainty(bound_half_voxel=bound))


def spreads(values: Values, shifts: Mapping[str, float], drawn: list[Values], posed: list[Values]) -> dict[str, Spread]:
    """Spread of every measure over drawn labels and plausible poses, by name."""
    found = {
        name: spread_of(
            value,
            shifts.get(name),
            [one[name] for one in drawn if name in one],
            [one[name] for one in posed if name in one],
        )
        for name, value in values.items()
    }
    return {name: spread for name, spread in found.items() if spread is not None}


def with_intervals(
    measurements: Sequence[Measurement],
    spreads: Mapping[str, Spread],
    calibration: Calibration | None,
    level: float = LEVEL,
) -> list[Measurement]:
    """Add the confidence intervals, and BIC without the model's bias where the bias is known.

    Parameters
    ----------
    measurements : sequence of Measurement
        What was measured.
    spreads : mapping of str to Spread
        Their spreads.
    calibration : Calibration or None
        What the model's measures are worth; None: the spread alone makes the interval.
    level : float
        Level of the intervals in %.
    """
    result = []
    for one in measurements:
        spread = spreads.get(one.name)
        if one.value is None or spread is None:
            result.append(one)
            continue
        scores = None if calibration is None else calibration.measures.get(one.name)
        result.append(_with_interval(one, one.value, spread, scores, level))
        if one.name == BIC and scores is not None:
            result.append(_corrected(result[-1], one.value, spread, scores))
    return result


def _with_interval(one: Measurement, value: float, spread: Spread, scores: Scores | None, level: float) -> Measurement:
    known = one.uncertainty or Uncertainty()
    parts = {"labels": spread.labels, "registration": spread.registration}
    if scores is not None:
        parts["model"] = scores.model_sd
    largest = max(parts, key=lambda part: parts[part])
    uncertainty = replace(
        known,
        method="uncalibrated" if scores is None else "calibrated",
        scale=spread.scale,
        scale_unit=spread.unit,
        sd_labels=spread.labels * spread.unit,
        sd_registration=spread.registration * spread.unit,
        sd_model=None if scores is None else scores.model_sd * spread.unit,
        dominated_by=largest if parts[largest] > 0 else None,
    )
    ends = _normal_quantiles(level) if scores is None else scores.quantiles(level)
    if ends is None:
        return replace(one, uncertainty=uncertainty)
    whole = math.sqrt(sum(part**2 for part in parts.values()))
    low, high = (_possible(one, spread.moved(value, end * whole)) for end in ends)
    return replace(one, interval=(low, high), uncertainty=uncertainty)


def _normal_quantiles(level: float) -> tuple[float, float]:
    from statistics import NormalDist

    end = NormalDist().inv_cdf(0.5 + level / 200)
    return -end, end


def _possible(one: Measurement, value: float) -> float:
    """Give a value that the measure can have: a share of something is 0 to 100 %, a size not negative."""
    if one.name.startswith("bone_") and one.unit == "%":
        return min(max(value, 0.0), 100.0)
    never_negative = one.unit in ("mm^3", "mm^2") and one.name != "volume_loss"
    return max(value, 0.0) if never_negative else value


def _corrected(plain: Measurement, value: float, spread: Spread, scores: Scores) -> Measurement:
    """BIC moved by the median error of the calibration scans; the interval is that of the plain one."""
    whole = math.sqrt(spread.labels**2 + spread.registration**2 + scores.model_sd**2)
    moved = _possible(plain, spread.moved(value, scores.median * whole))
    return replace(
        plain, name=CORRECTED, value=moved, note="BIC less the model's median error on its calibration scans"
    )


def warnings_of(measurements: Sequence[Measurement], calibration: Calibration | None, level: float) -> list[str]:
    """Say in plain words what a reader must know of the intervals."""
    if calibration is None:
        return [
            "the intervals are not calibrated: they tell how much the model doubts its own labels and how sure the "
            "pose is, not how far the model errs; the truth will often lie outside them"
        ]
    sentences = []
    known = [one for one in measurements if one.name in calibration.measures and one.value is not None]
    if few := [one.name for one in known if one.interval is None and one.uncertainty and one.uncertainty.method]:
        sentences.append(f"the calibration has too few scans for intervals of {level:g} % of {', '.join(few)}")
    over = [one.name for one in known if one.value is not None and one.interval and one.value > one.interval[1]]
    under = [one.name for one in known if one.value is not None and one.interval and one.value < one.interval[0]]
    for names, errs in ((over, "too large"), (under, "too small")):
        if names:
            sentences.append(
                f"outside of its own interval: {', '.join(names)}: on its calibration scans the model gave such values "
                f"{errs}, and the interval is for the true value"
            )
    return sentences
