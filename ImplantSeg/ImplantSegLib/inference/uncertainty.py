"""How sure the network is of a voxel: the entropy of its class probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MEANING = "entropy of the class probabilities / ln 4 = value / 255"
"""What the metadata of the file say about its values."""

_TINY = np.float32(1e-12)


def entropy(values: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.uint8]:
    """Shannon's entropy (doi:10.1002/j.1538-7305.1948.tb01338.x) as a share of the largest one, ln 4.

    Parameters
    ----------
    values : ndarray of float32, shape (4, nz, Y, X)
        Class probabilities.
    mask : ndarray of bool, shape (nz, Y, X), optional
        Voxels inside the field of view; outside, the entropy is 0.

    Returns
    -------
    ndarray of uint8, shape (nz, Y, X)
        255 times the share: 0 where one class is certain, 255 where all are alike.
    """
    result = np.zeros(values.shape[1:], np.uint8)
    scale = np.float32(-255 / np.log(len(values)))
    for index in range(len(result)):  # slice by slice: no second copy of all classes
        total = np.zeros(result.shape[1:], np.float32)
        for one in values[:, index]:
            total += one * np.log(np.maximum(one, _TINY))
        np.rint(np.clip(total * scale, 0, 255), out=total)
        result[index] = total if mask is None else np.where(mask[index], total, 0)
    return result
