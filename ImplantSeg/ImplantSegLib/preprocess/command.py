"""The verbs ``preprocess`` and ``quality``."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib import arguments, jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess.pipeline import Steps

if TYPE_CHECKING:
    from ImplantSegLib.preprocess.quality import Quality


@dataclass(frozen=True)
class PreprocessJob:
    """A run of ``preprocess``, written beside its result as ``OUT.job.toml``."""

    input: Path
    """Scan that was read."""
    output: Path
    """Scan that was written."""
    steps: Steps
    """What was asked for."""
    found: dict[str, Any] = field(default_factory=dict)
    """Values that the steps found: noise levels, grey range."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Versions, and the hash of the input."""


def preprocess(argv: list[str]) -> None:
    """Run ``implantseg preprocess``."""
    options = arguments.parse(_preprocess_parser(), argv)
    from ImplantSegLib.files import refuse_overwriting
    from ImplantSegLib.preprocess import pipeline
    from ImplantSegLib.preprocess.nlm import NlmSettings
    from ImplantSegLib.preprocess.refuse import refuse_labels
    from ImplantSegLib.volumes import read

    refuse_overwriting(options.input, options.output)
    scan = read(options.input, options.spacing_um)
    refuse_labels(scan, options.input)
    steps = Steps(
        bin=options.bin,
        denoise=options.denoise,
        nlm=NlmSettings(options.radius, options.iterations, options.strength),
        normalise=options.normalise,
        low_percent=options.percentiles[0],
        high_percent=options.percentiles[1],
        fov=options.fov,
        crop=options.crop,
    )
    found = pipeline.preprocess(scan, options.output, steps)
    job = PreprocessJob(options.input, options.output, steps, found, jobs.provenance(scan=options.input))
    jobs.save(job, job_path(options.output))
    print(options.output)


def quality(argv: list[str]) -> None:
    """Run ``implantseg quality``."""
    options = arguments.parse(_quality_parser(), argv)
    from ImplantSegLib.files import atomic_path, refuse_overwriting, write_text
    from ImplantSegLib.preprocess.pipeline import with_fov
    from ImplantSegLib.preprocess.quality import quality_by_labels, quality_by_otsu
    from ImplantSegLib.volumes import read

    for target in filter(None, (options.output, options.figure)):
        for source in filter(None, (options.input, options.labels)):
            refuse_overwriting(source, target)
    if options.output and options.output == options.figure:
        raise InputError(f"got {options.output} for the values and for the figure", "choose two names")
    scan = with_fov(read(options.input), options.fov)
    if options.labels:
        result = quality_by_labels(scan, read(options.labels), erode_voxels=options.erode)
    else:
        result = quality_by_otsu(scan, classes=options.classes)
    print(table(result))
    if options.output:
        write_text(options.output, json.dumps(result.to_dict(), indent=2) + "\n")
    if options.figure:
        from ImplantSegLib.preprocess.figure import save_histograms

        with atomic_path(options.figure) as temporary:
            save_histograms(result, temporary)


def job_path(output: Path) -> Path:
    """Where the job of a result is written: its name and ``.job.toml``."""
    return output.with_name(output.name + ".job.toml")


def table(result: Quality) -> str:
    """Text of the two tables: classes, and contrast of every pair."""
    lines = [f"{'class':<20} {'voxels':>12} {'mean':>10} {'std':>10} {'SNR':>8}"]
    for name, grey in result.classes.items():
        lines.append(f"{name:<20} {grey.voxels:>12} {grey.mean:>10.5g} {grey.std:>10.4g} {grey.snr:>8.2f}")
    lines += ["", f"{'contrast to noise':<42} {'over background':>16} {'pooled':>8}"]
    for pair, cnr in result.cnr().items():
        lines.append(f"{pair:<42} {cnr['over_background']:>16.2f} {cnr['pooled']:>8.2f}")
    if result.source == "labels":
        lines += ["", f"Voxels at least {result.erode_voxels} voxels away from any other class; nan: there are none."]
    else:
        limits = ", ".join(f"{value:.5g}" for value in result.thresholds)
        lines += [
            "",
            f"No labels given: classes by multi-level Otsu thresholds at {limits}; class_0 is the background.",
        ]
    return "\n".join(lines)


def _preprocess_parser() -> argparse.ArgumentParser:
    from ImplantSegLib.preprocess.nlm import NlmSettings

    nlm = NlmSettings()
    parser = arguments.parser(
        "preprocess",
        "Crop, bin, denoise and scale a scan to [0, 1], in this order and slab by slab. What was done is written into "
        "the metadata of the result and into OUT.job.toml.",
        """
        implantseg preprocess scan.nrrd scan01.nrrd
        implantseg preprocess slices/ scan01.ome.zarr --spacing-um 2.76 --bin 3 --denoise nlm
        implantseg preprocess scan.nrrd part01.nrrd --crop :,200:1200,200:1200 --bin 2
        implantseg preprocess scan.mha scan01.nrrd --fov circle:511.5,511.5,500
        """,
    )
    parser.add_argument("input", type=Path, metavar="IN", help="the scan: a file or a folder of TIFF slices")
    parser.add_argument("output", type=Path, metavar="OUT", help="the result; its suffix chooses the format")
    arguments.add_crop(parser)
    parser.add_argument("--bin", type=int, default=1, metavar="N", help="mean of N×N×N voxels becomes one (default: 1)")
    parser.add_argument(
        "--denoise",
        choices=("nlm", "none"),
        default="none",
        help="nlm: iterative non-local means; needs disk for two float32 copies of the scan (default: none)",
    )
    parser.add_argument("--radius", type=int, default=nlm.radius, help=f"nlm: search radius (default: {nlm.radius})")
    parser.add_argument(
        "--iterations", type=int, default=nlm.iterations, help=f"nlm: how often (default: {nlm.iterations})"
    )
    parser.add_argument(
        "--strength",
        type=float,
        default=nlm.strength,
        help=f"nlm: factor on the estimated noise, above 1 smoothes more (default: {nlm.strength:g})",
    )
    parser.add_argument(
        "--normalise",
        choices=("robust", "none"),
        default="robust",
        help="robust: scale to [0, 1] by percentiles inside the field of view (default: robust)",
    )
    parser.add_argument(
        "--percentiles",
        type=float,
        nargs=2,
        default=(Steps.low_percent, Steps.high_percent),
        metavar=("LOW", "HIGH"),
        help=f"percentiles that become 0 and 1 (default: {Steps.low_percent} {Steps.high_percent})",
    )
    _add_fov(parser)
    parser.add_argument(
        "--spacing-um", type=arguments.triple(float), metavar="Z,Y,X", help="voxel size in µm, instead of the file's"
    )
    return parser


def _quality_parser() -> argparse.ArgumentParser:
    from ImplantSegLib.preprocess.quality import ERODE_VOXELS

    parser = arguments.parser(
        "quality",
        "Signal to noise, contrast to noise and grey histograms of the classes of a scan.",
        """
        implantseg quality scan.nrrd --labels labels.seg.nrrd -o quality.json --figure histograms.png
        implantseg quality scan.nrrd
        """,
    )
    parser.add_argument("input", type=Path, metavar="IN", help="the scan")
    parser.add_argument(
        "--labels", type=Path, metavar="L", help="its segmentation; without it, classes by Otsu thresholds"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="JSON", help="also write the values and histograms there")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="also draw the histograms")
    parser.add_argument(
        "--erode",
        type=int,
        default=ERODE_VOXELS,
        metavar="VOXELS",
        help=f"with labels: distance kept from other classes (default: {ERODE_VOXELS})",
    )
    parser.add_argument(
        "--classes", type=int, choices=(2, 3, 4, 5), default=4, help="without labels: how many classes (default: 4)"
    )
    _add_fov(parser)
    return parser


def _add_fov(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fov",
        default="auto",
        help="voxels that count: auto (as the file says, else a circle found in the grey values), box, "
        "circle:CY,CX,R in voxels, or a mask (default: auto)",
    )
