"""A box of voxels: ``Z0:Z1,Y0:Y1,X0:X1``, half-open as in Python, an end left out where it reaches the border."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ImplantSegLib.errors import InputError

Range = tuple[int, int | None]

_RANGE = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*")
_REMEDY = "pass Z0:Z1,Y0:Y1,X0:X1 in voxels, such as 100:400,:,0:512"


@dataclass(frozen=True)
class Box:
    """Voxels from the first number of each range up to, but not including, the second.

    Parameters
    ----------
    z, y, x : tuple of (int, int or None)
        Range along each axis; ``None`` stands for the last voxel.
    """

    z: Range = (0, None)
    y: Range = (0, None)
    x: Range = (0, None)

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``Z0:Z1,Y0:Y1,X0:X1``; ``:`` is a whole axis.

        Raises
        ------
        InputError
            For anything else, negative numbers included.
        """
        found = [_RANGE.fullmatch(part) for part in text.split(",")]
        if len(found) != 3 or not all(found):
            raise InputError(f"got the box {text!r}, wanted three ranges of voxels counted from 0", _REMEDY)
        return cls(*((int(one[1] or 0), int(one[2]) if one[2] else None) for one in found if one))

    def within(self, shape: Sequence[int]) -> Box:
        """Give the box with all its ends as numbers, for a volume of this shape.

        Raises
        ------
        InputError
            When it is empty along an axis, or reaches beyond the volume.
        """
        ranges = []
        for name, (start, stop), size in zip("zyx", self.ranges, shape, strict=True):
            end = size if stop is None else stop
            if not start < end <= size:
                what = "is empty" if start >= end else "reaches beyond the volume"
                raise InputError(
                    f"got the box {self}, which {what} along {name}: wanted voxels from 0 to {size} there", _REMEDY
                )
            ranges.append((start, end))
        return Box(*ranges)

    def inside(self, outer: Box) -> Box:
        """Give the box, whose numbers count from the start of ``outer``, in the numbers of the whole volume."""
        return Box(
            *(
                (first + start, last if stop is None else first + stop)
                for (start, stop), (first, last) in zip(self.ranges, outer.ranges, strict=True)
            )
        )

    @property
    def ranges(self) -> tuple[Range, Range, Range]:
        """The ranges along (z, y, x)."""
        return self.z, self.y, self.x

    @property
    def starts(self) -> tuple[int, int, int]:
        """First voxel along (z, y, x)."""
        return self.z[0], self.y[0], self.x[0]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index of an array (z, y, x)."""
        return slice(*self.z), slice(*self.y), slice(*self.x)

    def __str__(self) -> str:
        return ",".join(f"{start}:{'' if stop is None else stop}" for start, stop in self.ranges)
