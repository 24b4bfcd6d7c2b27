"""What is told of a screw by its parts: regions, slices along the axis, flanks of the thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegQuantLib.flanks import contact_on, degradation_by_flank, depth_on
from ImplantSegQuantLib.region_measures import degradation_by_region
from ImplantSegQuantLib.regions import regions_of
from ImplantSegQuantLib.surface_map import reference_surface

if TYPE_CHECKING:
    from ImplantSegQuantLib.mesh_file import Surface
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference
    from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]

PROFILES = ("degradation_by_region", "degradation_along_axis", "degradation_by_flank")


def screw_profiles(
    sample: Sample,
    registered: tuple[Reference, Pose],
    distance: Callable[[slice], Array],
    contact: Surface | None,
    weeks: float,
) -> dict[str, Any]:
    """Degradation of a screw by region, along its axis and by flank; None for what its shape does not tell.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    registered : Reference, Pose
        The screw and where it lies.
    distance : callable
        Gives the signed distance of slices to it.
    contact : Surface or None
        The implant's faces with their bone contact, where there are any.
    weeks : float
        Healing time.
    """
    reference, pose = registered
    regions = regions_of(reference.field, pose.matrix)
    if regions is None:
        return dict.fromkeys(PROFILES)
    found = degradation_by_region(sample, distance, regions, weeks)
    if not regions.tip_known:  # then nobody knows which flank leads
        return {**found, "degradation_by_flank": None}
    depth = depth_on(reference_surface(reference, pose, sample.segmentation, sample.fov), reference, pose, regions)
    faces = None if contact is None else contact_on(contact, reference, pose, regions)
    return {**found, "degradation_by_flank": degradation_by_flank(depth, faces, weeks)}
