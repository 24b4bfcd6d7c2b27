"""Folds of slices: every scan trains and validates, with the labels of other slices."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.labels import IGNORE
from ImplantSegLib.training.config import Data
from ImplantSegLib.training.data import Scan
from ImplantSegLib.volumes.volume import Voxels

_log = logging.getLogger(__name__)


def split_slices(scans: list[Scan], data: Data) -> tuple[list[Scan], list[Scan]]:
    """Give scans whose labels train and the same scans whose labels validate: a block of slices along z.

    The validation's first and last slices are nearly those that train beside them, so its scores are too good.

    Parameters
    ----------
    scans : list of Scan
        All scans.
    data : Data
        Number of the fold, and of how many.
    """
    _log.warning(
        "folds of slices: the slices that validate lie beside others that train and are nearly alike, so the scores "
        "are too good; folds of whole scans tell what a new scan will have"
    )
    parts: tuple[list[Scan], list[Scan]] = [], []
    for scan in scans:
        depth = scan.shape[0]
        inside = np.zeros(depth, bool)
        inside[depth * data.fold // data.folds : depth * (data.fold + 1) // data.folds] = True
        for part, kept in zip(parts, (~inside, inside), strict=True):
            part.append(dataclasses.replace(scan, labels=_Kept(scan.labels, kept)))
    return parts


class _Kept:
    """Labels that are 255 outside of some slices, when they are read."""

    def __init__(self, labels: Voxels, kept: npt.NDArray[np.bool_]) -> None:
        self.shape, self.dtype = labels.shape, labels.dtype
        self._labels, self._kept = labels, kept

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        block = np.array(self._labels[key], np.uint8)
        block[~self._kept[key[0] if isinstance(key, tuple) else key]] = IGNORE  # z comes first, or is one slice
        return block
