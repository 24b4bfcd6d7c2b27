"""A distance field from a function of space, such as the parametric screw."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.redistance import signed_distance

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]

MARGIN_MM = 1.5
"""Room round the implant: more than the 1 mm of the region of interest."""

MAX_NODES = 32_000_000
"""Nodes of a distance field; 128 MB as float32."""

FINEST_MM = 0.02
"""Nodes need not be nearer: the volume of a screw is then right to 0.02 %."""

LEAST_NODES = 100
"""Nodes along the longest side of the implant, so that even one in wrong units has a shape."""

BRICKS = (16, 4, 1)
"""Edge of the bricks, in nodes, that are told apart from the surface as a whole, from coarse to fine."""

SLACK = 1.1
"""How much more than the true distance a function may tell (the parametric screw: 1 %)."""


class Nodes(NamedTuple):
    """A grid of nodes along the axes of the world."""

    shape: tuple[int, int, int]
    """Nodes along (z, y, x)."""
    lower_mm: Array
    """World position (x, y, z) of the first node."""
    step_mm: float
    """Distance of nodes."""

    def field(self, values: Array) -> DistanceField:
        """Distance field from values whose zero level is the surface; they are overwritten."""
        index_from_world = np.zeros((4, 4))
        index_from_world[[0, 1, 2], [2, 1, 0]] = 1 / self.step_mm
        index_from_world[:3, 3] = -self.lower_mm[::-1] / self.step_mm
        index_from_world[3, 3] = 1
        limits = np.tile([-1e9, 1e9], (3, 1))
        spacing_mm = (self.step_mm,) * 3
        return DistanceField(signed_distance(values, spacing_mm), spacing_mm, index_from_world, limits)


def nodes_for(bounds_mm: Array, finest_mm: float = FINEST_MM) -> Nodes:
    """Grid over bounds (2, 3), (x, y, z) in mm, with a margin, as fine as ``MAX_NODES`` allows."""
    lower, upper = np.asarray(bounds_mm, float)
    size = float((upper - lower).max())
    margin = min(MARGIN_MM, size)  # a reference in wrong units must not ask for more nodes
    lower, upper = lower - margin, upper + margin
    step = max(min(finest_mm, size / LEAST_NODES), float(np.prod(upper - lower) / MAX_NODES) ** (1 / 3))
    z, y, x = (int(n) for n in np.ceil((upper - lower)[::-1] / step) + 1)
    return Nodes((z, y, x), lower, step)


def field_of(function: Function, bounds_mm: Array, finest_mm: float = FINEST_MM) -> DistanceField:
    """Sample a function of space and turn it into a signed distance.

    Parameters
    ----------
    function : callable
        Takes points (N, 3), (x, y, z) in mm, gives (N,): exact in sign, negative inside, and in size not
        much above the distance to the surface.
    bounds_mm : array, shape (2, 3)
        Lower and upper corner (x, y, z) of the surface.
    finest_mm : float
        Lower limit for the distance of nodes.
    """
    nodes = nodes_for(bounds_mm, finest_mm)
    return nodes.field(_sample_near_surface(function, nodes))


def _sample_near_surface(function: Function, nodes: Nodes) -> Array:
    """Values at the nodes: one for a whole brick where the surface cannot reach it, exact ones elsewhere."""
    shape, lower, step = nodes
    padded = tuple(-(-n // BRICKS[0]) * BRICKS[0] for n in shape)
    values = np.empty(padded, np.float32)
    bricks = np.argwhere(np.ones([n // BRICKS[0] for n in padded], bool)) * BRICKS[0]
    for edge, finer in pairwise((*BRICKS, 0)):
        centres = lower + step * (bricks[:, ::-1] + (edge - 1) / 2)
        distance = function(centres)
        _fill(values, bricks, edge, distance)
        if finer:
            reach = SLACK * step * (np.sqrt(3) / 2 * edge + 1)
            bricks = _divided(bricks[np.abs(distance) <= reach], edge, finer)
    return np.ascontiguousarray(values[: shape[0], : shape[1], : shape[2]])


def _divided(bricks: Array, edge: int, finer: int) -> Array:
    """First nodes of the finer bricks inside each brick."""
    offsets = np.argwhere(np.ones((edge // finer,) * 3, bool)) * finer
    return (bricks[:, None, :] + offsets[None]).reshape(-1, 3)


def _fill(values: Array, bricks: Array, edge: int, distance: Array) -> None:
    blocks = values.reshape(*(part for n in values.shape for part in (n // edge, edge)))
    z, y, x = (bricks // edge).T
    blocks[z, :, y, :, x, :] = np.asarray(distance, np.float32)[:, None, None, None]
