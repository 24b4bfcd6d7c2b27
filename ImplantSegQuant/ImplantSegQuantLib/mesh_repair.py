"""A triangle mesh made fit to be a solid: closed, its triangles facing one way, the volume that it encloses known.

What is mended is told in one warning; what cannot be mended safely is refused.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError

Array = np.ndarray[Any, Any]

MERGED_SHARE = 1e-5
"""Points nearer to each other than this share of the box's diagonal are one point, where that closes a mesh."""

HOLE_SHARE = 0.02
"""Holes up to this radius, as a share of the box's diagonal, are closed; a larger one may be a missing part."""

MOST_SHELLS = 50
"""Closed shells of a mesh at most; more are debris of whatever made it."""

_log = logging.getLogger(__name__)


def repaired(surface: Any, path: Path) -> tuple[Any, float]:
    """Close a mesh, turn its triangles to one side, and tell the volume that it encloses.

    Points that all but coincide are merged and small holes closed when the mesh is open; triangles against the others
    are turned. A shell inside another one bounds a cavity.

    Parameters
    ----------
    surface : vtkPolyData
        Triangles whose common corners are common points.
    path : Path
        What to call the mesh in messages.

    Returns
    -------
    vtkPolyData
        A closed mesh.
    float
        Volume inside it in mm³.

    Raises
    ------
    InputError
        When holes are too large, edges belong to three triangles or more, or there are too many shells.
    """
    done: list[str] = []
    surface = _closed(surface, path, done)
    points, triangles = corners(surface)
    _check_walls(triangles, path)
    turned = _consistent(surface, triangles)
    shells, owner = _shells(triangles, len(points), path)
    volumes = _volumes(points, turned, owner, shells)
    _count_turned(triangles, turned, owner, shells, done)
    depth = _depths(points, triangles, owner, shells)
    if any(volumes[k] * volumes[depth[k].argmax()] > 0 for k in range(shells) if depth[k].sum() % 2):
        done.append("a shell inside another one taken for a cavity")
    if done:
        _log.warning("the surface %s was repaired: %s; look at its outline in the report", path, ", ".join(done))
    return surface, float(np.abs(volumes) @ (-1.0) ** depth.sum(axis=1))


def corners(surface: Any) -> tuple[Array, Array]:
    """Points (N, 3), float64, and triangles (M, 3), int64, of a ``vtkPolyData``."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    return points, vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)


def _closed(surface: Any, path: Path, done: list[str]) -> Any:
    """Close a mesh by merging points, then by filling holes."""
    if open_edges(surface) == 0:
        return surface
    size_mm = float(np.linalg.norm(np.ptp(np.array(surface.GetBounds()).reshape(3, 2), axis=1)))
    merged = _cleaned(surface, MERGED_SHARE)
    if open_edges(merged) < open_edges(surface):
        done.append(f"{surface.GetNumberOfPoints() - merged.GetNumberOfPoints()} points merged with others beside them")
        surface = merged
    left = open_edges(surface)
    if left:
        filled = _filled(surface, HOLE_SHARE * size_mm)
        _check_closed(filled, left, HOLE_SHARE * size_mm, path)
        added = filled.GetNumberOfPolys() - surface.GetNumberOfPolys()
        done.append(f"holes of {left} open edges closed with {added} triangles")
        surface = filled
    return surface


def _check_closed(surface: Any, before: int, limit_mm: float, path: Path) -> None:
    after = open_edges(surface)
    if after:
        raise InputError(
            f"the surface {path} is not closed: {before} edges belong to one triangle only, and {after} of them bound "
            f"holes wider than the {2 * limit_mm:.2g} mm that are closed unasked",
            "close its holes, or pass a label volume",
        )


def _check_walls(triangles: Array, path: Path) -> None:
    odd = int(np.count_nonzero(_triangles_per_edge(triangles) % 2))
    if odd:
        raise InputError(
            f"the surface {path} has walls inside: {odd} edges belong to three triangles or more",
            "keep its outer surface only, or pass a label volume",
        )


def open_edges(surface: Any) -> int:
    """Count the edges that belong to one triangle only."""
    return int(np.count_nonzero(_triangles_per_edge(corners(surface)[1]) == 1))


def _triangles_per_edge(triangles: Array) -> Array:
    edges = np.sort(_directed_edges(triangles), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1]


def _cleaned(surface: Any, tolerance: float) -> Any:
    from vtkmodules.vtkFiltersCore import vtkCleanPolyData

    clean = vtkCleanPolyData()
    clean.SetInputData(surface)
    clean.SetTolerance(tolerance)
    clean.Update()
    return clean.GetOutput()


def _filled(surface: Any, radius_mm: float) -> Any:
    from vtkmodules.vtkFiltersModeling import vtkFillHolesFilter

    fill = vtkFillHolesFilter()
    fill.SetInputData(surface)
    fill.SetHoleSize(radius_mm)
    fill.Update()
    return fill.GetOutput()


def _consistent(surface: Any, triangles: Array) -> Array:
    """Triangles (M, 3) of which those of a shell all face the same side; the order of the triangles is kept."""
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals

    edges = _directed_edges(triangles)
    if len(np.unique(edges, axis=0)) == len(edges):
        return triangles
    normals = vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.ConsistencyOn()
    normals.SplittingOff()
    normals.ComputePointNormalsOff()
    normals.ComputeCellNormalsOn()  # without any normals asked for, nothing is turned
    normals.Update()
    return corners(normals.GetOutput())[1]


def _directed_edges(triangles: Array) -> Array:
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def _shells(triangles: Array, points: int, path: Path) -> tuple[int, Array]:
    """Count the pieces that hang together, and tell the piece of every triangle."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = _directed_edges(triangles)
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(points, points))
    _, piece = connected_components(graph, directed=False)
    used, owner = np.unique(piece[triangles[:, 0]], return_inverse=True)
    if len(used) > MOST_SHELLS:
        raise InputError(
            f"the surface {path} consists of {len(used)} separate shells, wanted at most {MOST_SHELLS}",
            "leave the debris out, or pass a label volume",
        )
    return len(used), owner.reshape(-1)


def _volumes(points: Array, triangles: Array, owner: Array, shells: int) -> Array:
    """Volume (shells,) inside every shell in mm³, positive where its triangles face outwards."""
    a, b, c = (points[triangles[:, k]] - points.mean(axis=0) for k in range(3))
    return np.bincount(owner, weights=np.einsum("ij,ij->i", a, np.cross(b, c)) / 6, minlength=shells)


def _count_turned(before: Array, after: Array, owner: Array, shells: int, done: list[str]) -> None:
    """Tell how many triangles faced against most of their shell."""
    # a triangle is turned when its corners come in the other cyclic order
    turned = ~np.any([np.all(before == np.roll(after, shift, axis=1), axis=1) for shift in range(3)], axis=0)
    count = np.bincount(owner, weights=turned, minlength=shells)
    fewer = int(np.minimum(count, np.bincount(owner, minlength=shells) - count).sum())
    if fewer:
        done.append(f"{fewer} triangles turned to face as the others")


def _depths(points: Array, triangles: Array, owner: Array, shells: int) -> Array:
    """Tell which shells lie inside which others: bool (shells, shells), row in column."""
    inside = np.zeros((shells, shells), bool)
    if shells == 1:
        return inside
    probes = points[triangles[np.unique(owner, return_index=True)[1], 0]]
    for k in range(shells):
        inside[:, k] = _enclosed(probes, points, triangles[owner == k])
        inside[k, k] = False
    return inside


def _enclosed(probes: Array, points: Array, triangles: Array) -> Array:
    """Tell which probes (N, 3) lie inside a closed shell: the solid angle that it fills, seen from there, is 4π."""
    # van Oosterom & Strackee 1983, doi:10.1109/TBME.1983.325207
    result = np.empty(len(probes), bool)
    for number, probe in enumerate(probes):
        a, b, c = (points[triangles[:, k]] - probe for k in range(3))
        la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
        product = np.einsum("ij,ij->i", a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(axis=1) * lc + (a * c).sum(axis=1) * lb + (b * c).sum(axis=1) * la
        result[number] = abs(2 * np.arctan2(product, below).sum()) > 2 * np.pi
    return result
