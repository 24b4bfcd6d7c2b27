"""Other segmentations that the class probabilities allow just as well, drawn one by one and read slab by slab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from ImplantSegLib.inference.probabilities import StoredProbabilities
    from ImplantSegLib.volumes import Volume

Array = np.ndarray[Any, Any]

CORRELATION_VOXELS = 8.0
"""Distance over which the correlation of the field falls to 1/e.

With it the errors of drawn labels are correlated as those of the bundled model on phantoms (docs/results.md).
"""


@dataclass(frozen=True)
class ErrorModel:
    """How the errors of neighbouring voxels go together.

    Parameters
    ----------
    correlation_voxels : float
        Distance in voxels over which the correlation of the Gaussian field falls to 1/e.
    seed : int
        Seed of the draws.
    """

    correlation_voxels: float = CORRELATION_VOXELS
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.correlation_voxels >= 1:
            raise InputError(
                f"got errors that are correlated over {self.correlation_voxels} voxels, wanted at least 1", "raise it"
            )


def drawn(segmentation: Volume, probabilities: StoredProbabilities, model: ErrorModel, number: int) -> Volume:
    """Draw a segmentation.

    The label of a voxel is ``argmax_c log p_c + G_c`` with Gumbel noise G_c, so each voxel by itself has the classes
    with just their probabilities (Gumbel 1954; Maddison et al. 2014, arXiv:1411.0030). G is a function of a Gaussian
    field that is correlated over some voxels, so neighbours err together. A label that is not the most likely one,
    as of an island that was taken away, is kept.

    Parameters
    ----------
    segmentation : Volume
        The most likely labels, cleaned or not.
    probabilities : StoredProbabilities
        Class probabilities on the same grid.
    model : ErrorModel
        How errors go together.
    number : int
        Which draw: the same number gives the same labels, however they are read.

    Returns
    -------
    Volume
        Labels that are drawn when they are read.
    """
    return segmentation.like(Drawn(segmentation, probabilities, model, number))


class Drawn:
    """Voxels of one draw, uint8 (Z, Y, X)."""

    dtype = np.dtype(np.uint8)

    def __init__(
        self, segmentation: Volume, probabilities: StoredProbabilities, model: ErrorModel, number: int
    ) -> None:
        from ImplantSegQuantLib.draws_kernels import gumbel_table

        self.shape = segmentation.shape
        self._labels = segmentation.array
        self._probabilities = probabilities
        self._step = 1.0 / model.correlation_voxels
        generators = [
            np.random.Generator(np.random.Philox(key=[model.seed & (2**64 - 1), number * probabilities.classes + c]))
            for c in range(probabilities.classes)
        ]
        self._seeds = [int(generator.integers(2**62)) for generator in generators]
        # laid anywhere, so that no voxel is nearer to nodes than others in every draw
        self._place = np.array([[*generator.uniform(0, 1, 3), self._step] for generator in generators])
        self._table = gumbel_table()

    def __getitem__(self, key: Any, /) -> Array:
        """Draw slices: ``array[z]`` and ``array[z, y, x]`` as of an array (Z, Y, X)."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, (int, np.integer)):
            first = range(self.shape[0])[first]
            return self._slab(first, first + 1)[(0, *rest)]
        start, stop, step = first.indices(self.shape[0])
        return self._slab(start, max(stop, start))[(slice(None, None, step), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def _slab(self, start: int, stop: int) -> Array:
        from ImplantSegQuantLib import draws_kernels

        labels = np.ascontiguousarray(self._labels[start:stop], np.uint8)
        if start == stop:
            return labels
        ends = self._place[:, :3] + self._step * np.array([start, 0, 0])
        first = np.floor(ends).astype(np.int64) - 1
        size = np.array([stop - start, *self.shape[1:]])
        z, y, x = (np.ceil(self._step * size).astype(int) + 4).tolist()
        nodes = np.stack(
            [draws_kernels.lattice(corner, (z, y, x), seed) for corner, seed in zip(first, self._seeds, strict=True)]
        )
        chances = self._probabilities.slab(slice(int(start), int(stop)))
        return np.asarray(draws_kernels.draw(labels, chances, start, nodes, first, self._place, self._table))
