"""The reference's surface in the scan, and how far the surface of the segmented implant lies from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ImplantSegLib.labels import Label
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.degradation import SPECK_MM
from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.mesh_file import Surface
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.redistance import signed_distance
from ImplantSegQuantLib.reference import Reference
from ImplantSegQuantLib.sample import SLAB, windows
from ImplantSegQuantLib.surface import Averaged, averaged, continued

Array = np.ndarray[Any, Any]

MAX_POINTS = 200_000
"""Corners of the surface at most: nodes are left out until there are fewer."""

MAX_NODES = 4_000_000
"""Nodes of the implant's distance field at most; nodes of 0.02 mm where that suffices."""

RANGE_UM = 1000.0
"""Distances are told up to here."""


def reference_surface(
    reference: Reference, pose: Pose, segmentation: Volume, fov: FieldOfView, max_points: int = MAX_POINTS
) -> Surface:
    """Surface of the registered reference, coloured by what the scan shows.

    Parameters
    ----------
    reference : Reference
        The implant before it degraded; all of its surface is given, also where it leaves the field of view.
    pose : Pose
        From the scan to the reference.
    segmentation : Volume
        Labels 0 to 3.
    fov : FieldOfView
        What the scan has seen.
    max_points : int
        Corners at most.

    Returns
    -------
    Surface
        Triangles in the world of the scan, with three numbers at every corner. ``distance_um``: signed distance to
        the surface of the implant (labels 1 and 2), negative where that lies inside the reference.
        ``corrosion_depth_um``: how deep the surface of the metal (label 1) lies below; absent where there is no
        metal. ``inside_fov``: 1 in the field of view; elsewhere 0, and the distances are 0. Both distances end at
        ± ``RANGE_UM``. The fact ``step_um`` is the distance of the nodes that the surface was made from.
    """
    points, triangles, step_mm = triangulated(reference.field, max_points)
    inside = in_view(pose.inverse().apply(points), segmentation, fov)
    seen = pose.inverse().apply(points[inside])
    numbers = {"inside_fov": inside.astype(np.int16)}
    maps = {"distance_um": -_distance_um(seen, averaged(segmentation, fov))}
    metal = _distance_um(seen, _metal(segmentation, fov, reference, pose))
    if np.isfinite(metal).all():
        maps["corrosion_depth_um"] = metal
    for name, values in maps.items():
        numbers[name] = np.zeros(len(points), np.float32)
        numbers[name][inside] = np.clip(values, -RANGE_UM, RANGE_UM)
    facts = {"step_um": 1000 * step_mm, "range_um": RANGE_UM}
    return Surface(pose.inverse().apply(points).astype(np.float32), triangles, numbers, facts=facts)


def triangulated(field: DistanceField, max_points: int = MAX_POINTS) -> tuple[Array, Array, float]:
    """Triangles of the zero level of a distance field (flying edges), from as many nodes as ``max_points`` allows.

    Returns
    -------
    float64, shape (N, 3)
        Corners (x, y, z) in the field's world, moved onto its zero level.
    int32, shape (M, 3)
        Triangles, counter-clockwise seen from outside.
    float
        Distance of the nodes in mm.
    """
    stride = 1
    while _crossings(field.values[::stride, ::stride, ::stride]) > max_points:
        stride += 1
    index, triangles = _flying_edges(np.ascontiguousarray(field.values[::stride, ::stride, ::stride]))
    index = index[:, ::-1] * stride  # (z, y, x)
    known: Array = np.all((index >= field.limits[:, 0]) & (index <= field.limits[:, 1]), axis=1)
    triangles = triangles[known[triangles].all(axis=1)]
    world = np.linalg.inv(field.index_from_world)
    if np.linalg.det(world[:3, :3][:, ::-1]) > 0:  # VTK's look to where the distance is negative
        triangles = triangles[:, ::-1]
    used, triangles = np.unique(triangles, return_inverse=True)
    points = _on_zero_level(field, index[used] @ world[:3, :3].T + world[:3, 3])
    return points, triangles.reshape(-1, 3).astype(np.int32), stride * max(field.spacing_mm)


def _crossings(values: Array) -> int:
    """Edges between neighbours of unlike sign: so many corners has the surface."""
    inside = values < 0
    return sum(int(np.count_nonzero(np.diff(inside, axis=axis))) for axis in range(3))


def _flying_edges(values: Array) -> tuple[Array, Array]:
    """Corners (N, 3), indices (x, y, z), and triangles (M, 3) that look to where the values are negative."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    image, contour = vtkImageData(), vtkFlyingEdges3D()
    image.SetDimensions(*values.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel()))
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    found = contour.GetOutput()
    if not found.GetNumberOfPolys():
        return np.empty((0, 3)), np.empty((0, 3), np.int32)
    triangles = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(found.GetPoints().GetData()).astype(float), triangles


def _on_zero_level(field: DistanceField, points: Array) -> Array:
    """Move points that were found on a coarser grid along the gradient, by at most a node of that grid."""
    distance, gradient = field.sample_with_gradient(points)
    near = np.abs(distance) < max(field.spacing_mm)
    square = np.maximum((gradient**2).sum(axis=1), 0.25)  # at a ridge the gradient is short and leads nowhere
    points[near] -= (distance / square)[near, None] * gradient[near]
    return points


def in_view(points_mm: Array, grid: Volume, fov: FieldOfView) -> Array:
    """Tell which points (N, 3), (x, y, z) in mm, lie in a voxel of the field of view: bool (N,)."""
    index = _indices(points_mm, grid.index_to_world)
    voxels = np.rint(index).astype(int)
    inside: Array = np.all((voxels >= 0) & (voxels < grid.shape), axis=1)
    for window in windows(grid.shape[0], SLAB):
        mask = fov.slab_mask(window.z, grid.shape)
        if mask is None:
            break
        here = np.flatnonzero(inside & (voxels[:, 0] >= window.z.start) & (voxels[:, 0] < window.z.stop))
        z, y, x = voxels[here].T
        inside[here] = mask[z - window.z.start, y, x]
    return inside


def _indices(points_mm: Array, world_from_index: Array) -> Array:
    inverse = np.linalg.inv(world_from_index)
    return np.asarray(points_mm @ inverse[:3, :3].T + inverse[:3, 3])


def _distance_um(points_mm: Array, nodes: Averaged) -> Array:
    """Signed distance in µm from points of the scan to the surface of a share; infinite where there is none."""
    from scipy.ndimage import map_coordinates

    body = (nodes.share > 0.5) & nodes.known
    if not body.any():
        return np.full(len(points_mm), np.inf)
    box, stride = _cropped(body, nodes.spacing_mm)
    share, known = (values[box][::stride, ::stride, ::stride] for values in (nodes.share, nodes.known))
    z, y, x = (stride * step for step in nodes.spacing_mm)
    values = signed_distance(np.float32(0.5) - continued(share, known), (z, y, x))
    index = (_indices(points_mm, nodes.world_from_index) - [side.start for side in box]) / stride
    return np.asarray(1000 * map_coordinates(values, index.T, order=1, mode="nearest"))


def _metal(segmentation: Volume, fov: FieldOfView, reference: Reference, pose: Pose) -> Averaged:
    """Residual material without the specks outside the reference."""
    nodes = averaged(segmentation, fov, (Label.RESIDUAL_MATERIAL,))
    outside = reference.field.sample_grid(pose.matrix @ nodes.world_from_index, 0, nodes.share.shape) > SPECK_MM
    return nodes._replace(share=np.where(outside, np.float32(0), nodes.share))


def _cropped(body: Array, spacing_mm: tuple[float, float, float]) -> tuple[tuple[slice, ...], int]:
    """Box round a body with the range of the distances as its margin, and a stride that keeps to ``MAX_NODES``."""
    box = []
    for axis, step_mm in enumerate(spacing_mm):
        found = np.flatnonzero(body.any(axis=tuple({0, 1, 2} - {axis})))
        margin = int(np.ceil(RANGE_UM / 1000 / step_mm))
        box.append(slice(max(0, int(found[0]) - margin), int(found[-1]) + 1 + margin))
    nodes = body[tuple(box)].size
    return tuple(box), max(1, int(np.ceil((nodes / MAX_NODES) ** (1 / 3))))
