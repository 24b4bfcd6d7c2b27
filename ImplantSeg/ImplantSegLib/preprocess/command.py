"""The verb ``preprocess``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ImplantSegLib import arguments, jobs
from ImplantSegLib.preprocess.pipeline import Steps


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


def job_path(output: Path) -> Path:
    """Where the job of a result is written: its name and ``.job.toml``."""
    return output.with_name(output.name + ".job.toml")


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


def _add_fov(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fov",
        default="auto",
        help="voxels that count: auto (as the file says, else a circle found in the grey values), box, "
        "circle:CY,CX,R in voxels, or a mask (default: auto)",
    )
