"""The whole of ``implantseg quantify``: files in, a folder of results out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import all_or_none, check_writable, refuse_overwriting, remove
from ImplantSegQuantLib import checks, compare, intervals
from ImplantSegQuantLib.degradation import DAYS_PER_WEEK, DAYS_PER_YEAR, years
from ImplantSegQuantLib.fit import warnings as pose_warnings
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.quantify import Result, measure, registered
from ImplantSegQuantLib.roi import ROI_MM, write_roi
from ImplantSegQuantLib.sample import Sample, Survey, survey
from ImplantSegQuantLib.uncertainty import BIC, CORRECTED, DRAWS, LEVEL, Subject

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume
    from ImplantSegQuantLib.intervals import Judged
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference
    from ImplantSegQuantLib.unroll import Unrolled

SURFACES = ("reference.vtp", "contact.vtp")
"""Surfaces that ``quantify`` writes unless it is told not to."""

OUTPUTS = ("results.json", "results.csv", "report.html", "pose.tfm", "roi.nrrd", "job.toml", *SURFACES)
"""Files that ``quantify`` writes."""

MASK = "mask of the field of view"


@dataclass(frozen=True)
class QuantifyJob:
    """What to quantify, and with what."""

    segmentation: str
    """Label volume with labels 0 to 3."""
    reference: str
    """The implant before it degraded: a label volume, a mesh in mm, or ``screw:diameter=3.5,length=16,...``."""
    weeks: float
    """Healing time in weeks."""
    out: str
    """Folder for the results; made when missing."""
    pose: str | None = None
    """Pose of the reference, an ITK transform; found by registration when it is not given."""
    truth: str | None = None
    """Ground truth to compare with: a label volume on the same grid."""
    image: str | None = None
    """Grey values for the report's pictures."""
    roi_mm: float = ROI_MM
    """How far the region of interest reaches from the reference, in mm."""
    fov: str = "auto"
    """Field of view: ``auto`` (what the file says), ``box``, ``circle:CY,CX,R`` in voxels, or the path of a mask."""
    spacing_um: tuple[float, float, float] | None = None
    """Voxel size (z, y, x) in µm, instead of what the files say."""
    surfaces: bool = True
    """Whether to write ``contact.vtp`` and ``reference.vtp``."""
    probabilities: str | None = None
    """Class probabilities that ``segment --probabilities`` wrote, for confidence intervals."""
    calibration: str | None = None
    """Calibration of the intervals, instead of that which the probabilities carry."""
    draws: int = DRAWS
    """Segmentations that are drawn from the probabilities."""
    level: float = LEVEL
    """Level of the intervals in %."""
    seed: int = 0
    """Seed of the draws."""
    bounds: bool = True
    """Whether to tell the half-voxel bound, which takes a second walk over the scan; intervals need it anyway."""

    def __post_init__(self) -> None:
        years(self.weeks)
        intervals.check(self)
        if not self.roi_mm > 0:
            raise InputError(f"got a region of interest of {self.roi_mm} mm, wanted more than 0", "pass --roi-mm 1.0")


def run(job: QuantifyJob) -> dict[str, Any]:
    """Quantify a sample and write the results, the report, the pose, the region of interest and the job.

    Parameters
    ----------
    job : QuantifyJob
        What to do.

    Returns
    -------
    dict
        What ``results.json`` holds.

    Raises
    ------
    InputError
        For input that cannot be quantified; then nothing is written.
    """
    from ImplantSegLib.volumes import read
    from ImplantSegQuantLib import pose as poses
    from ImplantSegQuantLib import reference as references
    from ImplantSegQuantLib.report import Illustrations, write_report, write_results

    check_writable(job.out)
    for path in filter(None, (*_volume_paths(job).values(), job.pose, job.reference, job.calibration)):
        for name in OUTPUTS:
            refuse_overwriting(path, Path(job.out) / name)
    volumes = {role: read(path, job.spacing_um) for role, path in _volume_paths(job).items()}
    segmentation = volumes["segmentation"]
    checks.check_voxel_size(segmentation, "segmentation")
    for role, other in volumes.items():
        compare.check_same_grid(segmentation, other, "segmentation", role)
    fov = field_of_view(job.fov, segmentation, volumes.get("truth"))
    sample = Sample(segmentation, fov)
    given = None if job.pose is None else poses.load_pose(job.pose)
    found = survey(sample)
    truth = Sample(volumes["truth"], fov, role="truth") if "truth" in volumes else None
    truth_found = survey(truth) if truth else None  # before the long work, so that a wrong file is told at once
    chances = intervals.open_chances(job, sample)
    reference = references.load(job.reference)
    checks.check_size(found.size_mm(segmentation.spacing_mm), reference)
    pose = _pose(sample, reference, given)
    measured = _measured(job, sample, found, reference, pose)
    subject = Subject(sample, reference, pose, job.weeks, job.roi_mm)
    judged = intervals.judge(job, subject, measured.measurements, chances)
    judged = judged._replace(warnings=judged.warnings + pose_warnings(pose.quality))
    measured = measured._replace(measurements=judged.measurements)
    result = _result(job, measured, pose, judged)
    if truth and truth_found:
        own_pose = _pose(truth, reference, given, near=pose)
        wanted = _measured(job, truth, truth_found, reference, own_pose)
        result |= _against_truth(measured, sample, truth, own_pose, wanted, judged.warnings)
    with all_or_none(job.out) as out:
        write_results(out, result)
        poses.save_pose(pose, out / "pose.tfm")
        write_roi(measured.roi, out / "roi.nrrd")
        jobs.save(job, out / "job.toml")
        shown = Illustrations(volumes.get("image"), lambda points_mm: reference.distance(pose.apply(points_mm)))
        if job.surfaces:
            contact, depth = _write_surfaces(out, measured, sample, reference, pose)
            shown = replace(shown, contact=contact, depth=depth)
        write_report(out, result, sample.segmentation, measured.roi, shown)
        written = {path.name for path in out.iterdir()}
    for name in set(SURFACES) - written:
        remove(Path(job.out) / name)  # of an earlier run
    return result


def _volume_paths(job: QuantifyJob) -> dict[str, str]:
    """Files on the grid of the segmentation, by their role."""
    paths = {"segmentation": job.segmentation, "truth": job.truth, "image": job.image, MASK: mask_of(job.fov)}
    return {role: path for role, path in paths.items() if path is not None}


def mask_of(fov: str) -> str | None:
    """Path of the mask that a field of view names, if it names one."""
    from ImplantSegLib.volumes import FieldOfView

    return fov if fov != "auto" and FieldOfView.parse(fov).mask is not None else None


def field_of_view(text: str, volume: Volume, other: Volume | None = None) -> FieldOfView:
    """Give the field of view that an option names; ``auto`` is what the file of a volume says, or of the other one."""
    from ImplantSegLib.volumes import FieldOfView

    if text != "auto":
        return FieldOfView.parse(text)
    return FieldOfView.of(other if other is not None and "fov" not in volume.metadata else volume)


def _pose(sample: Sample, reference: Reference, given: Pose | None, near: Pose | None = None) -> Pose:
    """Find the pose (of equally good ones, that near another one), or take the given one and tell how well it fits."""
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.register import assess, register

    if given is None:
        return register(sample.segmentation, reference, sample.fov, near=near)
    return Pose(given.matrix, assess(sample.segmentation, reference, given, sample.fov))


def _measured(job: QuantifyJob, sample: Sample, found: Survey, reference: Reference, pose: Pose) -> Result:
    """Measure a sample, the parts of a screw, too."""
    from ImplantSegQuantLib.screw_profiles import screw_profiles

    distance = registered(reference, pose, sample.segmentation)
    measured = measure(sample, found, distance, job.weeks, job.roi_mm, job.surfaces)
    by_part = screw_profiles(sample, (reference, pose), distance, measured.contact, job.weeks)
    return measured._replace(profiles={**measured.profiles, **by_part})


def _write_surfaces(
    out: Path, measured: Result, sample: Sample, reference: Reference, pose: Pose
) -> tuple[Unrolled | None, Unrolled | None]:
    """Write the surfaces of implant (where there is any) and reference; give contact and depth on them, unrolled."""
    from ImplantSegQuantLib.mesh_file import write_surface
    from ImplantSegQuantLib.regions import axis_from_tip
    from ImplantSegQuantLib.surface_map import reference_surface
    from ImplantSegQuantLib.unroll import unrolled_cells, unrolled_points

    whole = reference_surface(reference, pose, sample.segmentation, sample.fov)
    write_surface(whole, out / "reference.vtp")
    axis = axis_from_tip(reference.field)
    depth = unrolled_points(whole, "corrosion_depth_um", pose, axis)
    if measured.contact is None:
        return None, depth
    write_surface(measured.contact, out / "contact.vtp")
    return unrolled_cells(measured.contact, "contact", pose, axis), depth


def _result(job: QuantifyJob, measured: Result, pose: Pose, judged: Judged) -> dict[str, Any]:
    """Give what ``results.json`` holds without a truth."""
    source = "given" if job.pose else "found by registration"
    return {
        "measurements": _by_name(measured.measurements),
        "uncertainty": judged.told,
        "profiles": dict(measured.profiles),
        "warnings": _warnings(measured.measurements) + judged.warnings,
        "definitions": {
            "degradation_rate": "(V_i - V_r) / (A_i * t), t = weeks * days_per_week / days_per_year",
            "days_per_week": DAYS_PER_WEEK,
            "days_per_year": DAYS_PER_YEAR,
            "roi_mm": job.roi_mm,
        },
        "registration": {"pose": source, **pose.quality},
        "job": dataclasses.asdict(job),
        "provenance": jobs.provenance(
            segmentation=job.segmentation,
            reference=None if job.reference.startswith("screw") else job.reference,
            pose=job.pose,
            truth=job.truth,
            image=job.image,
            fov=mask_of(job.fov),
            probabilities=job.probabilities,
            calibration=job.calibration,
        ),
    }


def _against_truth(
    measured: Result, sample: Sample, truth: Sample, pose: Pose, wanted: Result, doubts: list[str]
) -> dict[str, Any]:
    """Compare with the truth, measured in a pose of its own."""
    wanted = wanted._replace(measurements=_with_corrected(measured, wanted))
    errors, notes = compare.relative_errors_percent(measured.measurements, wanted.measurements)
    scores = compare.overlap(sample.segmentation, truth.segmentation, sample.fov)
    notes += scores.pop("notes")
    own = [f"truth: {warning}" for warning in _warnings(wanted.measurements) + pose_warnings(pose.quality)]
    return {
        "truth": _by_name(wanted.measurements),
        "truth_profiles": dict(wanted.profiles),
        "truth_registration": dict(pose.quality),
        "relative_error_percent": errors,
        "warnings": _warnings(measured.measurements) + doubts + own + notes,
        **scores,
    }


def _with_corrected(measured: Result, wanted: Result) -> list[Measurement]:
    """Measurements of the truth; what a corrected contact estimates is the true contact."""
    if not any(one.name == CORRECTED for one in measured.measurements):
        return wanted.measurements
    return [*wanted.measurements, *(replace(one, name=CORRECTED) for one in wanted.measurements if one.name == BIC)]


def _by_name(measurements: list[Measurement]) -> dict[str, dict[str, Any]]:
    return {
        entry.name: {
            "value": entry.value,
            "unit": entry.unit,
            "interval": entry.interval,
            "note": entry.note,
            **({"uncertainty": dataclasses.asdict(entry.uncertainty)} if entry.uncertainty else {}),
        }
        for entry in measurements
    }


def _warnings(measurements: list[Measurement]) -> list[str]:
    return list(dict.fromkeys(entry.warning for entry in measurements if entry.warning))


def table(result: dict[str, Any]) -> str:
    """Measurements of a result as text for people: value, interval, and where it is known the truth."""
    truth, errors = result.get("truth", {}), result.get("relative_error_percent", {})
    level = (result.get("uncertainty") or {}).get("level")
    header = f"{'':36}{'value':>12} {'unit':5}" + (f"{f'{level:g} % interval':>22}" if level else "")
    lines = [header + (f"{'truth':>12}{'error %':>10}" if truth else "")]
    for name, entry in result["measurements"].items():
        line = f"{name:36}{_number(entry['value']):>12} {entry['unit']:5}"
        if level:
            line += f"{' to '.join(map(_number, entry['interval'] or ())):>22}"
        if truth:
            error = errors.get(name)
            line += f"{_number(truth[name]['value']):>12}{'' if error is None else format(error, '+.2f'):>10}"
        lines.append(line.rstrip())
    for name, value in result.get("iou_percent", {}).items():
        lines.append(f"{'IoU ' + name:36}{_number(value):>12} %")
    if "mean_iou_percent" in result:
        lines.append(f"{'mean IoU':36}{_number(result['mean_iou_percent']):>12} %")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result["warnings"])])


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.5g}"
