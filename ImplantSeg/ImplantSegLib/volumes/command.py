"""The verbs ``info`` and ``convert``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ImplantSegLib import arguments

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def info(argv: list[str]) -> None:
    """Run ``implantseg info``."""
    options = arguments.parse(_info_parser(), argv)
    from ImplantSegLib.volumes import read
    from ImplantSegLib.volumes.describe import as_table, facts

    found = facts(options.input, read(options.input, options.spacing_um), not options.header_only)
    print(json.dumps(found, indent=2, ensure_ascii=False) if options.json else as_table(found))


def convert(argv: list[str]) -> None:
    """Run ``implantseg convert``."""
    options = arguments.parse(_convert_parser(), argv)
    import numpy as np

    from ImplantSegLib.files import refuse_overwriting
    from ImplantSegLib.volumes import Box, cropped, read, write
    from ImplantSegLib.volumes.convert import converted

    refuse_overwriting(options.input, options.output)
    volume = read(options.input, options.spacing_um)
    if options.crop:
        volume = cropped(volume, Box.parse(options.crop))
    if options.dtype:
        volume = converted(volume, np.dtype(options.dtype))
    write(volume, options.output, options.compress)
    print(options.output)


def _info_parser() -> argparse.ArgumentParser:
    command = arguments.parser(
        "info",
        "Tell what a volume is: format, shape, voxel size, place in the world, field of view, values, segments.",
        """
        implantseg info scan.nrrd
        implantseg info slices/ --spacing-um 2.76
        implantseg info labels.seg.nrrd --json
        implantseg info huge.ome.zarr --header-only
        """,
    )
    command.add_argument("input", type=Path, metavar="FILE", help="a volume, or a folder of TIFF slices")
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    command.add_argument("--header-only", action="store_true", help="do not look at the voxels")
    _add_spacing(command)
    return command


def _convert_parser() -> argparse.ArgumentParser:
    command = arguments.parser(
        "convert",
        "Convert a volume to the format of OUT's suffix, slab by slab: .nrrd .seg.nrrd .mha .mhd .tif .nii .nii.gz "
        ".ome.zarr, or no suffix for a folder of TIFF slices.",
        """
        implantseg convert slices/ scan.nrrd --spacing-um 2.76
        implantseg convert scan.nrrd scan.ome.zarr
        implantseg convert labels.nii.gz labels.seg.nrrd --dtype uint8
        implantseg convert scan.nrrd slices
        implantseg convert scan.nrrd part.nrrd --crop 100:400,:,0:512
        """,
    )
    command.add_argument("input", type=Path, metavar="IN", help="a volume, or a folder of TIFF slices")
    command.add_argument("output", type=Path, metavar="OUT", help="file or folder to write")
    _add_spacing(command)
    arguments.add_crop(command)
    command.add_argument("--dtype", choices=DTYPES, help="type of a voxel in OUT; values are rounded, not scaled")
    command.add_argument(
        "--compress",
        action=argparse.BooleanOptionalAction,
        help="compress the voxels, or keep them raw, which reads faster (default: compress .seg.nrrd and .ome.zarr)",
    )
    return command


def _add_spacing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--spacing-um",
        type=arguments.triple(float),
        metavar="Z,Y,X",
        help="voxel size in µm (three numbers, or one for all), instead of what the file says",
    )
