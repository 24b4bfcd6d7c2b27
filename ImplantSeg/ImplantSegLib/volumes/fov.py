"""The field of view: where a scan holds measured voxels.

A cylindrical reconstruction fills the corners of its slices with a constant. Those voxels are neither
tissue nor background, and the edge between them and the scan is no surface of anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes.box import Box
from ImplantSegLib.volumes.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

Mask = np.ndarray[Any, np.dtype[np.bool_]]

KEY = "fov"
"""Metadata key of a volume that holds the text of its field of view."""


@dataclass(frozen=True)
class FieldOfView:
    """The whole box, a circle in every slice, or a mask.

    Parameters
    ----------
    circle : tuple of float, optional
        Centre (y, x) and radius in index units: voxel (i, j) is inside where
        (i - y)² + (j - x)² ≤ radius².
    mask : Path, optional
        A volume on the grid of the scan; what is not 0 is inside.
    box : Box, optional
        The part of the mask that lies on the grid of a cropped scan.
    """

    circle: tuple[float, float, float] | None = None
    mask: Path | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        if self.circle is not None and not (np.isfinite(self.circle).all() and self.circle[2] > 0):
            raise InputError(f"got a field of view of circle {self.circle}, wanted a radius above 0", _REMEDY)

    @classmethod
    def parse(cls, text: str) -> FieldOfView:
        """Read ``box``, ``circle:CY,CX,R`` (voxels), the path of a mask, or ``PATH[Z0:Z1,Y0:Y1,X0:X1]``, a part of one.

        Raises
        ------
        InputError
            When a circle has not three numbers, or there is no such mask.
        """
        if text == "box":
            return cls()
        if not text.startswith("circle:"):
            return cls._parse_mask(text)
        try:
            y, x, radius = (float(part) for part in text.removeprefix("circle:").split(","))
        except ValueError as error:
            raise InputError(f"got the field of view {text!r}, wanted circle:CY,CX,R", _REMEDY) from error
        return cls((y, x, radius))

    @classmethod
    def _parse_mask(cls, text: str) -> FieldOfView:
        part = _PART_OF_MASK.fullmatch(text)
        if part and Path(part[1]).exists():
            return cls(mask=Path(part[1]), box=Box.parse(part[2]))
        if not Path(text).exists():
            raise InputError(f"got the field of view {text!r}, which is no file", _REMEDY)
        return cls(mask=Path(text))

    @classmethod
    def of(cls, volume: Volume) -> FieldOfView:
        """Give the field of view that the metadata of a volume names, else the whole box."""
        return cls.parse(volume.metadata.get(KEY, "box"))

    @classmethod
    def detect(cls, volume: Volume) -> FieldOfView:
        """Find the reconstruction circle of a scan from its grey values, else give the whole box."""
        from ImplantSegLib.volumes.circle import find_circle

        circle = find_circle(volume)
        return cls() if circle is None else cls.parse(str(cls(circle)))  # what the metadata say, digit for digit

    def __str__(self) -> str:
        if self.mask is not None:
            return str(self.mask) if self.box is None else f"{self.mask}[{self.box}]"
        return "box" if self.circle is None else "circle:" + ",".join(f"{value:.8g}" for value in self.circle)

    def slice_mask(self, shape_yx: Sequence[int]) -> Mask | None:
        """Tell which voxels of any slice are inside.

        Parameters
        ----------
        shape_yx : sequence of int
            Voxels along (y, x).

        Returns
        -------
        array of bool, shape (Y, X), or None
            None stands for all of them.

        Raises
        ------
        ValueError
            For a mask, which differs from slice to slice: use :meth:`slab_mask`.
        """
        if self.mask is not None:
            raise ValueError("a mask differs from slice to slice: use slab_mask")
        if self.circle is None:
            return None
        centre_y, centre_x, radius = self.circle
        y, x = np.ogrid[: shape_yx[0], : shape_yx[1]]
        inside: Mask = (y - centre_y) ** 2 + (x - centre_x) ** 2 <= radius**2
        return inside

    def slab_mask(self, z: slice, shape: Sequence[int]) -> Mask | None:
        """Tell which voxels of a slab are inside.

        Parameters
        ----------
        z : slice
            The slices of the slab.
        shape : sequence of int
            Voxels of the whole volume along (z, y, x).

        Returns
        -------
        array of bool, shape (nz, Y, X), or None
            None stands for all of them. The array of a circle cannot be written to.

        Raises
        ------
        InputError
            When a mask has another shape than the volume.
        """
        if self.mask is not None:
            return self._mask_slab(z, tuple(shape))
        inside = self.slice_mask(shape[1:])
        return None if inside is None else np.broadcast_to(inside, (len(range(shape[0])[z]), *inside.shape))

    def _mask_slab(self, z: slice, shape: tuple[int, ...]) -> Mask:
        from ImplantSegLib.volumes.io import read

        mask = read(str(self.mask))
        slices, rows, columns = (self.box or Box()).within(mask.shape).slices
        found = tuple(part.stop - part.start for part in (slices, rows, columns))
        if found != shape:
            raise InputError(
                f"the field of view {self} has shape {found}, wanted {shape} as the volume",
                "pass a mask on the grid of the volume",
            )
        wanted = range(slices.start, slices.stop)[z]
        return np.asarray(mask.array[wanted.start : wanted.stop, rows, columns]) != 0

    def cropped(self, box: Box) -> FieldOfView:
        """Give the same field of view in a volume that is cropped to a box."""
        if self.circle is not None:
            y, x, radius = self.circle
            return FieldOfView((y - box.y[0], x - box.x[0], radius))
        if self.mask is not None:
            return FieldOfView(mask=self.mask, box=box if self.box is None else box.inside(self.box))
        return self

    def binned(self, factor: int) -> FieldOfView:
        """Give the same field of view in a volume whose voxels are ``factor`` times as wide along y and x."""
        if self.circle is None:
            return self
        y, x, radius = self.circle
        return FieldOfView(((y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5, radius / factor))


_PART_OF_MASK = re.compile(r"(.+)\[([\d:,]+)\]")
_REMEDY = "pass box, circle:CY,CX,R (voxels) or the path of a mask"
