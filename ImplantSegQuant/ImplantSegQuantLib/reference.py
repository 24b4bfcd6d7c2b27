"""The reference screw: a label volume, a surface mesh or the parametric screw, read as a signed distance."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib.pose import Pose

if TYPE_CHECKING:
    from ImplantSegLib.phantom.screw import Screw
    from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Reference:
    """The implant before it degraded.

    Parameters
    ----------
    field : DistanceField
        Signed distance from its surface.
    source : str
        What it was loaded from.
    """

    field: DistanceField
    source: str

    def distance(self, points_mm: Array) -> Array:
        """Signed distance in mm, float32 (N,), at points (N, 3), (x, y, z) of the reference's world; negative inside.

        Exact to a fraction of a node up to 1.5 mm outside; farther out it is an upper bound. Beyond an end
        where the reference volume itself is cut off there is no surface: 1000 mm.
        """
        return self.field.sample(points_mm)

    @property
    def bounds_mm(self) -> Array:
        """Corners (2, 3) of the box round the implant, (x, y, z) in mm, to one node."""
        inside = self.field.values < 0
        spans = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))[[0, -1]] for axis in range(3)]
        corners = np.array(np.meshgrid(*spans, indexing="ij")).reshape(3, -1)
        world = np.linalg.inv(self.field.index_from_world) @ np.vstack([corners, np.ones(8)])
        return np.array([world[:3].min(axis=1), world[:3].max(axis=1)])


def load(text_or_path: str | Path) -> Reference:
    """Load the reference.

    Parameters
    ----------
    text_or_path : str or path
        A label volume of any readable format (non-zero is screw); a mesh (``.stl``, ``.obj``, ``.ply``,
        ``.vtk``, ``.vtp``) in mm, whose small faults are mended with a warning; or ``screw:KEY=VALUE,...``
        with the numbers of the parametric screw in mm: ``screw:diameter=3.5,length=16``.

    Raises
    ------
    InputError
        When it is missing, empty or cannot be closed, or a key of the parametric screw is unknown.
    """
    from ImplantSegQuantLib.mesh import READERS, field_of_mesh

    text = str(text_or_path)
    if text == "screw" or text.startswith("screw:"):
        return of_screw(parse_screw(text), text)
    path = Path(text_or_path)
    if path.suffix.lower() in READERS:
        return Reference(field_of_mesh(path), text)
    from ImplantSegLib.volumes import read
    from ImplantSegLib.volumes.formats import FORMATS

    suffixes = tuple(suffix for form in FORMATS.values() for suffix in form.suffixes)
    if path.is_file() and not path.name.lower().endswith(suffixes):
        raise InputError(
            f"got the reference {path}, wanted a mesh ({', '.join(READERS)}), a label volume or screw:KEY=VALUE,...",
            "convert it, for example to STL",
        )
    volume = read(path)
    if volume.metadata.get("voxel_size_known", "yes") != "yes":
        raise InputError(
            f"the file of the reference {path} tells no voxel size",
            f"write it into a copy, for example: implantseg convert {path} reference.nrrd --spacing-um 20",
        )
    return of_labels(volume, text)


_SLAB_SLICES = 32

MOST_VALUES = 32
"""A volume with more different values than this is a scan, not labels."""


def of_labels(volume: Volume, source: str = "labels") -> Reference:
    """Make the reference from a label volume: its non-zero voxels.

    Raises
    ------
    InputError
        When it is empty, has no background, or is a scan.
    """
    from ImplantSegQuantLib.labelled import field_of_labels

    _check_labels(volume, source)
    return Reference(field_of_labels(volume), source)


def _check_labels(volume: Volume, source: str) -> None:
    """Refuse a scan: numbers with fractions, a great many values, or no 0 at all."""
    values: Array = np.empty(0)
    background = False
    for _, slab in volume.slabs(_SLAB_SLICES):
        if slab.dtype.kind == "f" and not np.array_equal(slab, np.rint(slab)):
            wrong = slab[slab != np.rint(slab)][0]
            raise InputError(
                f"the reference {source} holds the value {wrong:g}, wanted whole numbers with 0 around the implant",
                "pass a label volume, not a scan",
            )
        values = np.union1d(values, np.ravel(slab)[::_STRIDE])
        if len(values) > MOST_VALUES:
            raise InputError(
                f"the reference {source} holds more than {MOST_VALUES} different values, wanted labels with 0 around "
                "the implant",
                "pass a label volume, not a scan",
            )
        background = background or bool((slab == 0).any())
    if not background:
        raise InputError(
            f"the reference {source} has no voxel of value 0, wanted labels with 0 around the implant",
            "pass a label volume, not a scan",
        )


_STRIDE = 17
"""Every so many voxels are enough to tell labels from grey values; it divides no usual width."""


def of_screw(screw: Screw, source: str = "screw") -> Reference:
    """Make the reference from a parametric screw."""
    from ImplantSegQuantLib.implicit import field_of

    return Reference(field_of(screw.signed_distance, np.array(screw.bounds_mm)), source)


def parse_screw(text: str) -> Screw:
    """Build the parametric screw from ``screw:diameter=3.5,length=16``; keys are its fields without ``_mm``."""
    from ImplantSegLib.phantom.screw import Screw

    known = [field.name.removesuffix("_mm") for field in dataclasses.fields(Screw)]
    values = {}
    for part in filter(None, text.removeprefix("screw").removeprefix(":").split(",")):
        key, _, number = (piece.strip() for piece in part.partition("="))
        if key.removesuffix("_mm") not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0)[0]
            raise InputError(
                f"{text!r} has an unknown key {key!r}", f"did you mean {near!r}? Known keys: {', '.join(known)}"
            )
        values[key.removesuffix("_mm") + "_mm"] = _length_mm(text, key, number)
    return Screw(**values)


def _length_mm(text: str, key: str, number: str) -> float:
    try:
        length_mm = float(number)
    except ValueError:
        length_mm = float("nan")
    if not 0 <= length_mm < float("inf"):
        raise InputError(f"{text!r}: got {key}={number!r}, wanted a number of mm", "correct the number")
    return length_mm


def distance_slab(reference: Reference, pose: Pose, grid: Volume, z: slice) -> Array:
    """Signed distance from the registered reference at the voxel centres of a scan.

    Parameters
    ----------
    reference : Reference
        The implant before it degraded.
    pose : Pose
        From the scan to the reference.
    grid : Volume
        The scan; only its geometry is used.
    z : slice
        Slices to give.

    Returns
    -------
    float32, shape (slices, Y, X)
        Signed distance in mm, negative inside.
    """
    start, stop, _ = z.indices(grid.shape[0])
    _, rows, columns = grid.shape
    affine = pose.matrix @ grid.index_to_world
    return reference.field.sample_grid(affine, start, (max(stop - start, 0), rows, columns))
