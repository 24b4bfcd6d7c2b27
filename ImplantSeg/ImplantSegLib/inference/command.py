"""The verb ``segment``."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ImplantSegLib import arguments, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import scanlist
from ImplantSegLib.inference.job import SegmentJob

if TYPE_CHECKING:
    from ImplantSegLib.inference.inputs import Model


_SWITCH = argparse.BooleanOptionalAction


def segment(argv: list[str]) -> None:
    """Run ``implantseg segment``."""
    parser = _parser()
    options = arguments.parse(parser, argv)
    if options.json and not options.dry_run:
        parser.error("--json goes with --dry-run only")
    if options.input.suffix.lower() == scanlist.SUFFIX:
        _segment_list(parser, options)
        return
    if options.output is None:
        parser.error("OUT is missing: only a list of scans (.csv) goes without")
    job = _job(options)
    if options.dry_run:
        _tell_estimates([job], options.json)
        return
    _segment_one(job, options.resume)
    print(job.output)


def _segment_one(job: SegmentJob, resume: bool) -> None:
    from ImplantSegLib.inference.batch import is_finished
    from ImplantSegLib.inference.inputs import open_model
    from ImplantSegLib.inference.predict import segment as run

    log = logging.getLogger(__name__)
    model = open_model(job.model)
    if resume and is_finished(job, model):
        log.warning("%s was finished before by the same job: nothing to do", job.output)
    else:
        log.info("found: %s", run(job, resume, model).found)


def _segment_list(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from ImplantSegLib.inference import batch

    wanted = _jobs_of_list(parser, options)
    models = batch.check_all(wanted)
    if options.dry_run:
        _tell_estimates(wanted, options.json, models)
        return

    def tell(index: int, status: str, message: str) -> None:
        progress.emit("item", index=index, status=status, message=message)
        what = wanted[index].input if status == "running" else wanted[index].output
        print(f"[{index + 1}/{len(wanted)}] {status:7} {what}{': ' + message if message else ''}", flush=True)

    summary = batch.segment_all(wanted, models, options.resume, tell)
    print(summary, flush=True)
    summary.raise_failures()


def _jobs_of_list(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[SegmentJob]:
    found = []
    for number, row in enumerate(scanlist.read_list(options.input), start=1):
        where = f"row {number} of {options.input.name}"
        try:
            argv = scanlist.as_arguments(row, options.input.parent, options.output)
            found.append(_job(arguments.parse_more(parser, argv, options, where)))
        except InputError as error:
            message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
            raise InputError(message, error.remedy) from error
    return found


def _job(options: argparse.Namespace) -> SegmentJob:
    return SegmentJob(**{key: value for key, value in vars(options).items() if key in SegmentJob.__dataclass_fields__})


def _tell_estimates(wanted: list[SegmentJob], as_json: bool, models: dict[str, Model] | None = None) -> None:
    """Print what one job, or each job of a list (``models`` is given), would need."""
    from ImplantSegLib.inference.estimate import estimate
    from ImplantSegLib.inference.inputs import open_model

    told = [estimate(job, models[job.model] if models else open_model(job.model)) for job in wanted]
    if as_json:
        values = [one.to_dict() for one in told]
        print(json.dumps({"items": values} if models else values[0], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, told)))


def _parser() -> argparse.ArgumentParser:
    parser = arguments.parser(
        "segment",
        "Segment a scan with a model into background, residual material, degradation layer and bone, slab by slab and "
        "in bounded memory. A raw scan is scaled to [0, 1] as the model wants it. OUT.job.toml tells how the labels "
        "were made. IN may also be a list of scans: a CSV file with the columns input, output and any option by its "
        "long name with _ for - (spacing_um, fov, model, crop, mirror, ...); paths are relative to the list, options "
        "of the command line hold where a row has none, and a row that fails does not stop the others.",
        """
        implantseg segment scan.nrrd labels.seg.nrrd
        implantseg segment slices/ labels.ome.zarr --spacing-um 2.76 --probabilities p.ome.zarr --max-memory 8GiB
        implantseg segment scan.nrrd labels.seg.nrrd --model my_model.safetensors --mirror
        implantseg segment scan.nrrd labels.seg.nrrd --crop 100:400,:,:
        implantseg segment scan.nrrd labels.seg.nrrd --uncertainty unsure.nrrd
        implantseg segment scan.nrrd labels.seg.nrrd --dry-run
        implantseg segment scans.csv --resume
        """,
    )
    parser.add_argument(
        "input", type=Path, metavar="IN", help="the scan: a file or a folder of TIFF slices; or a list: .csv"
    )
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        metavar="OUT",
        help="labels: .seg.nrrd (for 3D Slicer), .nrrd, .tif, .ome.zarr, ...; for a list a folder, to which the "
        "outputs of its rows are relative instead of to the list",
    )
    _add_model(parser)
    _add_result(parser)
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--max-memory",
        type=arguments.byte_count,
        metavar="SIZE",
        help="memory that the run may use, such as 8GiB (default: half of what is free)",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run of the same job, kept in the folder .OUT.work; skip what the same "
        "job has finished",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="tell tiles, memory, disk, time and what speaks against the run, in seconds, and do nothing",
    )
    run.add_argument("--json", action="store_true", help="with --dry-run: tell it as JSON")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model")
    default = SegmentJob
    group.add_argument(
        "--model",
        default=default.model,
        metavar="NAME_OR_FILE",
        help=f"a model that `implantseg models list` shows, or a file (default: {default.model})",
    )
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where it runs (default: auto)"
    )
    group.add_argument(
        "--precision",
        choices=("auto", "float32", "bf16"),
        default="auto",
        help="numbers of the network; auto is bf16 where the hardware computes with it (default: auto)",
    )
    group.add_argument(
        "--across",
        type=float,
        default=default.across,
        metavar="SLICES",
        help="average probabilities across slices by a Gaussian of this standard deviation; 0 for none "
        f"(default: {default.across:g})",
    )
    group.add_argument(
        "--mirror", action=_SWITCH, default=default.mirror, help="average over mirrored slices, four times as long"
    )
    group.add_argument(
        "--tile",
        type=int,
        default=default.tile,
        metavar="PIXELS",
        help=f"longest side of a window; smaller slices are computed in one pass (default: {default.tile})",
    )
    group.add_argument(
        "--overlap",
        type=int,
        default=default.overlap,
        metavar="PIXELS",
        help=f"what neighbouring windows share at least (default: {default.overlap})",
    )


def _add_result(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scan and result")
    default = SegmentJob
    arguments.add_crop(group)
    group.add_argument(
        "--spacing-um", type=arguments.triple(float), metavar="Z,Y,X", help="voxel size in µm, instead of the file's"
    )
    group.add_argument(
        "--any-voxel-size",
        action=_SWITCH,
        default=default.any_voxel_size,
        help="segment a scan even when its voxels are more than 4 times as large, or as small, as those of the model",
    )
    group.add_argument(
        "--fov",
        default=default.fov,
        help="field of view, outside of which all is background: auto (as the file says, else a circle found in the "
        "grey values), box, circle:CY,CX,R in voxels, or a mask (default: auto)",
    )
    group.add_argument(
        "--postprocess",
        action=_SWITCH,
        default=default.postprocess,
        help="take away islands of implant, or keep them however small (default: take them away)",
    )
    group.add_argument(
        "--island-mm3",
        type=float,
        default=default.island_mm3,
        metavar="VOLUME",
        help=f"smaller pieces of implant become bone or background (default: {default.island_mm3:g})",
    )
    group.add_argument(
        "--keep-largest", action=_SWITCH, default=default.keep_largest, help="keep the largest piece of implant only"
    )
    group.add_argument(
        "--probabilities", type=Path, metavar="P", help="also write class probabilities: OME-Zarr, uint8, value/255"
    )
    group.add_argument(
        "--uncertainty",
        type=Path,
        metavar="U",
        help="also write how unsure the network is, a volume of any format: entropy of the class probabilities / ln 4, "
        "uint8, value/255, from 0 (one class is certain) to 255 (all four are alike); 0 outside of the field of view",
    )
