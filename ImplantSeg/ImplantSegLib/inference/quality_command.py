"""The verb ``quality``: what a scan is worth, and whether it looks like those that a model was trained on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib import arguments
from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from ImplantSegLib.models import Bundle
    from ImplantSegLib.preprocess.quality import Quality
    from ImplantSegLib.volumes import Volume


def quality(argv: list[str]) -> None:
    """Run ``implantseg quality``."""
    options = arguments.parse(_parser(), argv)
    _check_outputs(options)
    from ImplantSegLib.files import atomic_path, write_text
    from ImplantSegLib.inference.likeness import differences
    from ImplantSegLib.preprocess.familiar import MARGIN

    bundle = _model(options.model) if options.model else None
    scan, result = _measured(options)
    answer = result.to_dict()
    if bundle:
        answer |= {"model": bundle.name, "margin": MARGIN, "warnings": differences(scan, bundle)}
    print(json.dumps(answer, ensure_ascii=False) if options.json else _text(result, answer))
    if options.output:
        write_text(options.output, json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    if options.figure:
        from ImplantSegLib.preprocess.figure import save_histograms

        with atomic_path(options.figure) as temporary:
            save_histograms(result, temporary)


def _check_outputs(options: argparse.Namespace) -> None:
    from ImplantSegLib.files import check_writable, refuse_folder, refuse_overwriting

    for target in filter(None, (options.output, options.figure)):
        refuse_folder(target)
        check_writable(target.parent)
        for source in filter(None, (options.input, options.labels)):
            refuse_overwriting(source, target)
    if options.output and options.output == options.figure:
        raise InputError(f"got {options.output} for the values and for the figure", "choose two names")


def _model(name_or_path: str) -> Bundle:
    from ImplantSegLib.models import load
    from ImplantSegLib.models.registry import find

    bundle = load(find(name_or_path))
    if not bundle.training_data:
        raise InputError(
            f"the model {bundle.name!r} does not tell what its training scans look like",
            "train it with this version of ImplantSeg, or leave --model out",
        )
    return bundle


def _measured(options: argparse.Namespace) -> tuple[Volume, Quality]:
    from ImplantSegLib.preprocess.pipeline import with_fov
    from ImplantSegLib.preprocess.quality import quality_by_labels, quality_by_otsu
    from ImplantSegLib.volumes import Box, cropped, read

    whole = with_fov(read(options.input, options.spacing_um), options.fov)
    scan = cropped(whole, Box.parse(options.crop)) if options.crop else whole
    if options.labels:
        labels = read(options.labels)
        if options.crop and labels.shape == whole.shape:  # otherwise they may be those of the part
            labels = cropped(labels, Box.parse(options.crop))
        return scan, quality_by_labels(scan, labels, erode_voxels=options.erode)
    return scan, quality_by_otsu(scan, classes=options.classes)


def _text(result: Quality, answer: dict[str, Any]) -> str:
    if "warnings" not in answer:
        return table(result)
    trained = f"the scans that {answer['model']} was trained on"
    told = [f"unlike {trained}: {one['sentence']}" for one in answer["warnings"]]
    return "\n".join([table(result), "", *(told or [f"It looks like {trained}."])])


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


def _parser() -> argparse.ArgumentParser:
    from ImplantSegLib.preprocess.familiar import MARGIN
    from ImplantSegLib.preprocess.quality import ERODE_VOXELS

    parser = arguments.parser(
        "quality",
        "Signal to noise, contrast to noise and grey histograms of the classes of a scan; with --model also whether it "
        f"looks like the scans that the model was trained on, measured on 16 slices: a warning means more than "
        f"{MARGIN:g} times above the highest or below the lowest of them.",
        """
        implantseg quality scan.nrrd --labels labels.seg.nrrd -o quality.json --figure histograms.png
        implantseg quality scan.nrrd
        implantseg quality scan.nrrd --model compact_unet
        implantseg quality scan.nrrd --model compact_unet --json
        """,
    )
    parser.add_argument("input", type=Path, metavar="IN", help="the scan")
    parser.add_argument(
        "--labels", type=Path, metavar="L", help="its segmentation; without it, classes by Otsu thresholds"
    )
    arguments.add_crop(parser)
    parser.add_argument("--model", metavar="NAME_OR_FILE", help="also compare with what this model was trained on")
    parser.add_argument(
        "--json",
        action="store_true",
        help="JSON on stdout instead of tables: classes, cnr, histogram, and with --model the list warnings, each "
        "with measure, value, low and high (of the training scans) and sentence",
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
    parser.add_argument(
        "--fov",
        default="auto",
        help="voxels that count: auto (as the file says, else a circle found in the grey values), box, "
        "circle:CY,CX,R in voxels, or a mask (default: auto)",
    )
    parser.add_argument(
        "--spacing-um", type=arguments.triple(float), metavar="Z,Y,X", help="voxel size in µm, instead of the file's"
    )
    return parser
