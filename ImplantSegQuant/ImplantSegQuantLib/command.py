"""The verbs ``implantseg evaluate``, ``register`` and ``quantify``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ImplantSegLib import arguments
from ImplantSegLib.errors import InputError

_FOV = "field of view: auto (what the file says), box, circle:CY,CX,R in voxels, or a mask volume (default: auto)"
_SPACING = "voxel size in µm, instead of what the files say: one number or Z,Y,X"
_REFERENCE = "the implant before it degraded: a label volume, a mesh (STL, OBJ, PLY, VTK) in mm, or screw:KEY=VALUE,..."
_PROBABILITIES = "class probabilities from `segment --probabilities`: every measurement gets a confidence interval"
_CALIBRATION = (
    "calibration of the intervals, from `calibrate` (default: the model's own, which the probabilities carry)"
)
_DRAWS = "segmentations drawn from the probabilities (default: 16); time grows with them"
_NO_BOUNDS = "do not tell the half-voxel bound, which takes a second walk over the scan; intervals need it anyway"
_NO_SURFACES = "do not write contact.vtp and reference.vtp"
_SURFACE = (
    "write the reference's surface in the scan (LPS, mm) with the point data distance_um, the signed distance of the "
    "implant's surface (negative inside the reference), corrosion_depth_um (of the metal's below it) and inside_fov"
)


def evaluate(argv: list[str]) -> None:
    """Compare a segmentation with the ground truth."""
    command = arguments.parser(
        "evaluate",
        "Compare a segmentation with the ground truth over the field of view: IoU per class and their mean, Dice, "
        "boundary error in µm, surface Dice at a tolerance of one voxel, confusion matrix. Voxels of value 255 in the "
        "truth are skipped.",
        """
        implantseg evaluate prediction.seg.nrrd truth.seg.nrrd
        implantseg evaluate prediction.seg.nrrd truth.seg.nrrd -o scores.json
        implantseg evaluate prediction.nrrd truth.nrrd --fov circle:319.5,319.5,310
        """,
    )
    command.add_argument("prediction", metavar="PREDICTION", help="label volume")
    command.add_argument("truth", metavar="TRUTH", help="label volume on the same grid")
    command.add_argument("-o", "--out", metavar="JSON", help="write the scores to this file")
    command.add_argument("--fov", default="auto", help=_FOV)
    options = arguments.parse(command, argv)

    from ImplantSegLib.files import refuse_overwriting, write_text
    from ImplantSegLib.jobs import provenance
    from ImplantSegLib.volumes import read
    from ImplantSegQuantLib.compare import overlap, table
    from ImplantSegQuantLib.schemas import EVALUATE
    from ImplantSegQuantLib.workflow import field_of_view

    for source in (options.prediction, options.truth) if options.out else ():
        refuse_overwriting(source, options.out)
    prediction, truth = read(options.prediction), read(options.truth)
    scores = overlap(prediction, truth, field_of_view(options.fov, prediction, truth))
    if options.out:
        made_with = provenance(prediction=options.prediction, truth=options.truth)
        text = json.dumps({"schema": EVALUATE, **scores, "provenance": made_with}, indent=2, ensure_ascii=False)
        write_text(options.out, text + "\n")
    print(table(scores))


def register(argv: list[str]) -> None:
    """Find the pose of the reference in a segmentation."""
    command = arguments.parser(
        "register",
        "Find where the reference lies in a segmented scan, from any position, or from a rough pose set by hand. "
        "Writes a rigid ITK transform that takes points of the scan to points of the reference (LPS, mm), and tells "
        "how well the reference fits; a fit that cannot be right is refused.",
        """
        implantseg register labels.seg.nrrd --reference reference.nrrd -o pose.tfm
        implantseg register labels.seg.nrrd --reference screw.stl -o pose.tfm
        implantseg register labels.seg.nrrd --reference screw:diameter=3.5,length=16 -o pose.tfm
        implantseg register labels.seg.nrrd --reference screw.stl --start rough.tfm -o pose.tfm
        implantseg register labels.seg.nrrd --reference screw.stl -o pose.tfm --surface fit.vtp --json
        """,
    )
    command.add_argument("segmentation", metavar="SEGMENTATION", help="label volume with labels 0 to 3")
    command.add_argument("--reference", required=True, metavar="REF", help=_REFERENCE)
    command.add_argument("-o", "--out", required=True, metavar="POSE", help="transform to write: .tfm, .txt or .h5")
    command.add_argument("--start", metavar="POSE", help="rough pose to refine; then nothing is searched")
    command.add_argument("--surface", metavar="VTP", help=_SURFACE)
    command.add_argument("--json", action="store_true", help="print the figures of the fit as JSON")
    command.add_argument("--fov", default="auto", help=_FOV)
    command.add_argument("--spacing-um", type=arguments.triple(float), metavar="Z,Y,X", help=_SPACING)
    options = arguments.parse(command, argv)

    from ImplantSegLib.files import check_writable, refuse_folder, refuse_overwriting
    from ImplantSegQuantLib.mesh_file import check_suffix, write_surface
    from ImplantSegQuantLib.pose import check_output, save_pose
    from ImplantSegQuantLib.registration import RegisterJob, find_pose

    for source in filter(None, (options.segmentation, options.reference, options.start)):
        for target in filter(None, (options.out, options.surface)):
            refuse_overwriting(source, target)
    check_output(options.out)
    if options.surface:
        check_suffix(options.surface)
        refuse_folder(Path(options.surface))
        check_writable(Path(options.surface).parent)
    job = RegisterJob(options.segmentation, options.reference, options.start, options.fov, options.spacing_um)
    found = find_pose(job)
    save_pose(found.pose, options.out)
    if options.surface:
        write_surface(found.surface(), options.surface)
    print(_fit_as_json(options, found.pose.quality) if options.json else _fit_as_text(options, found.pose.quality))


def _fit_as_json(options: argparse.Namespace, quality: Mapping[str, float]) -> str:
    from ImplantSegQuantLib.fit import warnings
    from ImplantSegQuantLib.results import strict
    from ImplantSegQuantLib.schemas import REGISTER

    found: dict[str, Any] = {"schema": REGISTER, "pose": options.out, "start": options.start}
    found |= {"searched": options.start is None, "surface": options.surface}
    found |= {"quality": quality, "warnings": warnings(quality)}
    return json.dumps(strict(found), indent=2, allow_nan=False)


def _fit_as_text(options: argparse.Namespace, quality: Mapping[str, float]) -> str:
    from ImplantSegQuantLib.fit import warnings

    how = "searched, then refined" if options.start is None else f"refined from {options.start}, nothing searched"
    figures = [f"{name:36}{value:.5g}" for name, value in quality.items()]
    return "\n".join([f"{'pose':36}{how}", *figures, *(f"warning: {text}" for text in warnings(quality))])


def quantify(argv: list[str]) -> None:
    """Measure degradation and osseointegration, and write the report."""
    command = arguments.parser(
        "quantify",
        "Measure degradation rate, bone-implant contact, bone volume fraction and more on a segmented scan. Writes "
        "results.json, results.csv, report.html, pose.tfm, roi.nrrd and job.toml into OUTDIR, and two surfaces in the "
        "world of the scan (LPS, mm): contact.vtp, the implant's voxel faces with cell data contact (1 bone, 0 not), "
        "and reference.vtp, the reference with distance_um and corrosion_depth_um; docs/measures.md says how every "
        "number is defined.",
        """
        implantseg quantify labels.seg.nrrd --reference reference.nrrd --weeks 12 -o results
        implantseg quantify labels.seg.nrrd --reference screw:diameter=3.5 --weeks 12 --pose pose.tfm -o results
        implantseg quantify labels.seg.nrrd --reference screw.stl --weeks 12 --truth truth.seg.nrrd -o results
        implantseg quantify labels.seg.nrrd --reference screw.stl --weeks 12 --image scan.nrrd -o results
        implantseg quantify labels.seg.nrrd --reference screw.stl --weeks 12 --probabilities p.ome.zarr -o results
        implantseg quantify --job results/job.toml -o again
        """,
    )
    _add_quantify_options(command)
    options = vars(arguments.parse(command, argv))

    from ImplantSegQuantLib.workflow import run, table

    job = _job(options)
    result = run(job)
    print(table(result))
    print(f"\nreport: {job.out}/report.html")


def _add_quantify_options(command: argparse.ArgumentParser) -> None:
    """Options of ``quantify``; what is not given is absent, so that a job file may say it."""
    add = command.add_argument
    add("segmentation", default=argparse.SUPPRESS, metavar="SEGMENTATION", nargs="?", help="labels 0 to 3")
    add("-o", "--out", default=argparse.SUPPRESS, metavar="OUTDIR", help="folder for the results; made when missing")
    add("--reference", default=argparse.SUPPRESS, metavar="REF", help=_REFERENCE)
    add("--weeks", default=argparse.SUPPRESS, type=_weeks, help="healing time in weeks")
    add("--pose", default=argparse.SUPPRESS, help="pose of the reference (default: found by registration)")
    add("--truth", default=argparse.SUPPRESS, help="ground truth on the same grid: relative errors and IoU are added")
    add("--image", default=argparse.SUPPRESS, metavar="SCAN", help="grey values for the report's pictures")
    add("--roi-mm", default=argparse.SUPPRESS, type=float, metavar="MM", help="reach of the ROI (default: 1.0)")
    add("--fov", default=argparse.SUPPRESS, help=_FOV)
    add("--spacing-um", default=argparse.SUPPRESS, type=arguments.triple(float), metavar="Z,Y,X", help=_SPACING)
    add("--probabilities", default=argparse.SUPPRESS, metavar="P", help=_PROBABILITIES)
    add("--calibration", default=argparse.SUPPRESS, metavar="JSON", help=_CALIBRATION)
    add("--level", default=argparse.SUPPRESS, type=float, metavar="%%", help="level of the intervals (default: 90)")
    add("--draws", default=argparse.SUPPRESS, type=int, metavar="N", help=_DRAWS)
    add("--seed", default=argparse.SUPPRESS, type=int, metavar="N", help="seed of the draws (default: 0)")
    add("--no-bounds", dest="bounds", action="store_false", default=argparse.SUPPRESS, help=_NO_BOUNDS)
    add("--no-surfaces", dest="surfaces", action="store_false", default=argparse.SUPPRESS, help=_NO_SURFACES)
    add("--job", default=None, metavar="TOML", help="take what is not given here from a job file, such as job.toml")


def _weeks(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a number of weeks such as 12") from error


def _job(options: dict[str, Any]) -> Any:
    """Build the job from its file, if there is one, and the options."""
    from ImplantSegLib.jobs import from_mapping, load_toml
    from ImplantSegQuantLib.workflow import QuantifyJob

    source = options["job"]
    known = {field.name for field in dataclasses.fields(QuantifyJob)}
    values = {} if source is None else load_toml(source)
    values |= {key: value for key, value in options.items() if key in known}
    missing = [option for name, option in _REQUIRED.items() if name not in values]
    if missing:
        raise InputError(f"got no {' and no '.join(missing)}", "give what is missing; see implantseg quantify --help")
    return from_mapping(QuantifyJob, values, source or "quantify")


_REQUIRED = {"segmentation": "SEGMENTATION", "reference": "--reference", "weeks": "--weeks", "out": "-o OUTDIR"}
