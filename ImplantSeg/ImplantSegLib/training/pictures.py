"""Pictures of validation slices: scan, truth, prediction and where they differ, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.files import atomic_path, remove
from ImplantSegLib.labels import COLOURS, IGNORE
from ImplantSegLib.training.data import Scan

Array = npt.NDArray[Any]

FOLDER = "pictures"
MOST_PIXELS = 400
"""Longest side of one part of a picture; larger slices are thinned out."""

_WRONG = (0.835, 0.15, 0.15)
_UNKNOWN = (0.5, 0.5, 0.5)
_GAP = 4


@dataclass(frozen=True)
class Picture:
    """A picture with its name and caption.

    Parameters
    ----------
    name : str
        Name of its file, without the suffix.
    caption : str
        What it shows.
    pixels : ndarray of uint8, shape (rows, columns, 3)
        RGB.
    """

    name: str
    caption: str
    pixels: Array


def validation_pictures(
    predict: Callable[[Array], Array], scans: list[Scan], worst: list[dict[str, Any]], most: int = 4
) -> list[Picture]:
    """Draw the middle slice of the first validation scans, and the worst slices.

    Parameters
    ----------
    predict : callable
        Gives probabilities float32 (4, Y, X) for an image float32 (Y, X): of the slice alone, without its neighbours.
    scans : list of Scan
        Validation scans.
    worst : list of dict
        Slices as :func:`ImplantSegLib.training.validate.validate` names them, the worst first.
    most : int
        Pictures of each kind at most.
    """
    drawn = []
    for scan in scans[:most]:
        middle = int(scan.known[0][len(scan.known[0]) // 2])
        drawn.append(_picture(predict, scan, 0, middle, f"middle-{scan.name}", f"{scan.name}, slice {middle}"))
    by_name = {scan.name: scan for scan in scans}
    for rank, one in enumerate(worst[:most], 1):
        where = f"slice {one['index']} along {'zyx'[one['axis']]}"
        told = f"{one['scan']}, {where}: mIoU {_percent(one['mean_iou_percent'])}"
        drawn.append(_picture(predict, by_name[one["scan"]], one["axis"], one["index"], f"worst-{rank}", told))
    return drawn


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.1f} %"


def _picture(predict: Callable[[Array], Array], scan: Scan, axis: int, index: int, name: str, caption: str) -> Picture:
    image, truth = scan.cut(axis, index, slice(None), slice(None))
    prediction = predict(image).argmax(axis=0).astype(np.uint8)
    thin = max(1, -(-max(image.shape) // MOST_PIXELS))
    parts = [part[::thin, ::thin] for part in (image, truth, prediction)]
    return Picture(name, caption, side_by_side(*parts))


def side_by_side(image: Array, truth: Array, prediction: Array) -> Array:
    """Draw a slice four times: grey values, truth, prediction, and in red where these differ.

    Parameters
    ----------
    image : ndarray of float32, shape (Y, X)
        Values in [0, 1].
    truth, prediction : ndarray of uint8, shape (Y, X)
        Labels; 255 in the truth is grey and differs from nothing.

    Returns
    -------
    ndarray of uint8, shape (Y, 4 · X + 3 · gap, 3)
    """
    grey = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2)
    wrong = 0.6 * grey
    wrong[(truth != prediction) & (truth != IGNORE)] = _WRONG
    gap = np.ones((len(image), _GAP, 3))
    parts = [grey, gap, _coloured(truth), gap, _coloured(prediction), gap, wrong]
    return np.rint(255 * np.concatenate(parts, axis=1)).astype(np.uint8)


def _coloured(labels: Array) -> Array:
    table = np.tile(_UNKNOWN, (256, 1))
    for value, colour in COLOURS.items():
        table[value] = colour
    return table[labels]


def write_pictures(pictures: list[Picture], folder: Path) -> None:
    """Write the pictures as PNG into ``folder/pictures``, in place of earlier ones; captions are inside the files."""
    from PIL import Image, PngImagePlugin

    folder = folder / FOLDER
    remove(folder)
    folder.mkdir(parents=True)
    for picture in pictures:
        told = PngImagePlugin.PngInfo()
        told.add_text("Description", picture.caption)
        with atomic_path(folder / f"{picture.name}.png") as temporary:
            Image.fromarray(picture.pixels).save(temporary, format="PNG", pnginfo=told)
