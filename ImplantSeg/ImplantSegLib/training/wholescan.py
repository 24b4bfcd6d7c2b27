"""Whole validation scans: their labels as ``segment`` gives them, and the bone–implant contact of their volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.predict import average_across
from ImplantSegLib.labels import IMPLANT, NAMES, Label
from ImplantSegLib.metrics import OUTSIDE, FaceCounter, contact_faces, face_areas_mm2, surface_faces
from ImplantSegLib.training.data import Scan

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]
Predict = Callable[[Array], Array]

ACROSS = SegmentJob.across
REACH = int(np.ceil(3 * ACROSS))
"""Slices on either side of a slice that its labels depend on, as :attr:`SegmentJob.reach` has it."""
_SLAB_BYTES = 2**27


def predictor(network: torch.nn.Module, device: torch.device, precision: str, check: Callable[[], None]) -> Predict:
    """Give a function from an image float32 (Y, X) to probabilities float32 (4, Y, X), in windows as ``segment`` has.

    Parameters
    ----------
    network : torch.nn.Module
        It is fused and moved: the predictor owns it.
    device : torch.device
        Where it runs.
    precision : str
        Arithmetic, in the words of Lightning Fabric.
    check : callable
        Called before every image.
    """
    from ImplantSegLib.inference.plan import gpu_tile
    from ImplantSegLib.inference.runtime import Predictor, Windows, bytes_per_pixel

    tile = gpu_tile(device, SegmentJob.tile, bytes_per_pixel(network.eval()))
    windows = Windows(tile, min(SegmentJob.overlap, tile // 2))
    slices = Predictor(network, windows, device, "bf16" if precision == "bf16-mixed" else "float32")

    def predict(image: Array) -> Array:
        check()
        return slices.block(image[None])[:, 0]

    return predict


def segmented(predict: Predict, scan: Scan) -> Iterator[tuple[int, Array, Array]]:
    """Slices along z that hold known voxels: index, predicted and true labels, both uint8 (Y, X).

    Probabilities are averaged across slices before the labels are taken. Slices farther than :data:`REACH` from known
    voxels are not predicted, no slice is predicted twice, and only a slab of probabilities is in memory.

    Parameters
    ----------
    predict : callable
        Gives probabilities float32 (4, Y, X) for an image float32 (Y, X) in [0, 1].
    scan : Scan
        What is segmented.
    """
    known = scan.known[0]
    for run in np.split(known, np.flatnonzero(np.diff(known) > 2 * REACH + 1) + 1):
        wanted = set(run.tolist())
        for index, probabilities, truth in _smoothed(predict, scan, int(run[0]), int(run[-1]) + 1):
            if index in wanted:
                yield index, probabilities.argmax(axis=0).astype(np.uint8), truth


def _smoothed(predict: Predict, scan: Scan, first: int, last: int) -> Iterator[tuple[int, Array, Array]]:
    """Slices ``first`` to ``last`` - 1: index, averaged probabilities (4, Y, X) and true labels (Y, X)."""
    end = min(last + REACH, scan.shape[0])
    begin = max(first - REACH, 0)
    slices = _predicted(predict, scan, begin, end)
    raw, truths = next(slices)
    raw, depth = raw[:, None], max(1, _SLAB_BYTES // raw.nbytes)  # (4, nz, Y, X): slices from begin on
    labels = {begin: truths}
    for start in range(first, last, depth):
        stop = min(start + depth, last)
        behind = max(start - REACH, 0)
        more = [next(slices) for _ in range(begin + raw.shape[1], min(stop + REACH, end))]
        labels |= {begin + raw.shape[1] + index: truth for index, (_, truth) in enumerate(more)}
        raw = np.stack([*raw[:, behind - begin :].swapaxes(0, 1), *(one for one, _ in more)], axis=1)
        begin = behind
        mean = raw.copy()
        average_across(mean, ACROSS, REACH)
        yield from ((index, mean[:, index - begin], labels.pop(index)) for index in range(start, stop))


def _predicted(predict: Predict, scan: Scan, begin: int, end: int) -> Iterator[tuple[Array, Array]]:
    for index in range(begin, end):
        image, truth = scan.cut(0, index, slice(None), slice(None))
        yield predict(image), truth


class Contact:
    """Bone–implant contact of a prediction and of the truth, slice by slice from the first to the last.

    Voxels outside of the field of view or of unknown label exist for neither.

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    """

    def __init__(self, spacing_mm: tuple[float, float, float]) -> None:
        self._areas = face_areas_mm2(spacing_mm)
        self._predicted, self._true = FaceCounter(), FaceCounter()
        self._next: int | None = None

    def add(self, index: int, prediction: Array, truth: Array) -> None:
        """Take in a slice: its index, and labels uint8 (Y, X)."""
        known = np.isin(truth, list(NAMES))
        for counter, labels in ((self._predicted, prediction), (self._true, truth)):
            if index != self._next and self._next is not None:  # the slices between are unknown
                counter.add(np.full((1, *truth.shape), OUTSIDE, np.uint8))
            counter.add(labels[None], known)
        self._next = index + 1

    def bic_percent(self) -> tuple[float | None, float | None]:
        """BIC by faces in % of the prediction and of the truth; None without surface of the implant."""
        return self._bic_percent(self._predicted), self._bic_percent(self._true)

    def _bic_percent(self, counter: FaceCounter) -> float | None:
        """Equation 5 of doi:10.3389/fphy.2024.1257512: faces implant–bone over all of the implant, by their area."""
        table = counter.table()
        touching = float(contact_faces(table, IMPLANT, (Label.BONE,)) @ self._areas)
        surface = float(surface_faces(table, IMPLANT) @ self._areas)
        return 100 * touching / surface if surface else None


def relative_error_percent(predicted: float | None, true: float | None) -> float | None:
    """Relative error of a contact in %; None where the true one is none, -100 where no implant was found."""
    return 100 * ((predicted or 0.0) / true - 1) if true else None
