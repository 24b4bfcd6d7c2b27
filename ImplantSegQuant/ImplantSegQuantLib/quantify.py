"""Every number of a sample: one pass over the distance to the reference, then the implant by itself.

Memory is bounded: a few slabs of the scan, one bit per voxel for the region of interest, and one byte per
voxel of the box round the implant (plus what :mod:`ImplantSegQuantLib.thickness` says of itself).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegQuantLib import contact
from ImplantSegQuantLib.contact_surface import contact_surface
from ImplantSegQuantLib.degradation import DepthMeter, degradation_rate, volume_loss_percent, years
from ImplantSegQuantLib.gap import contact_by_gap
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.morphometry import Shape, ShapeMeter
from ImplantSegQuantLib.roi import ROI_MM, Region, in_roi
from ImplantSegQuantLib.sample import Bounds, Box, Sample, Survey, survey
from ImplantSegQuantLib.thickness import layer_thickness

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume
    from ImplantSegQuantLib.mesh_file import Surface
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference

Array = np.ndarray[Any, Any]
Distance = Callable[[slice], Array]
"""Gives the signed distance in mm, float32 (Z, Y, X), of some slices to the registered reference."""


class Result(NamedTuple):
    """What was measured on a sample, and where."""

    measurements: list[Measurement]
    roi: Volume
    """The region of interest as voxels of 0 and 1 on the grid of the segmentation."""
    contact: Surface | None = None
    """The implant's surface with its contact, where it was asked for and there is any implant."""
    profiles: Mapping[str, Any] = MappingProxyType({})
    """What is more than a number: see docs/measures.md."""


class Measures(NamedTuple):
    """What the pass over the distance field gives."""

    shape: Shape
    depth_um: float | None
    region: Region
    tissue_voxels: dict[int, int]
    """Voxels of bone and of background inside the region of interest."""
    roi_voxels: int
    implant: Box | None
    """Smallest box round the implant inside the region of interest."""


def quantify(
    segmentation: Volume,
    reference: Reference,
    pose: Pose,
    weeks: float,
    fov: FieldOfView | None = None,
    roi_mm: float = ROI_MM,
) -> list[Measurement]:
    """Measure degradation and osseointegration on a segmentation.

    Parameters
    ----------
    segmentation : Volume
        Labels 0 to 3.
    reference : Reference
        The implant before it degraded.
    pose : Pose
        From the scan to the reference.
    weeks : float
        Healing time.
    fov : FieldOfView, optional
        What the scan has seen; by default what the segmentation's file says.
    roi_mm : float
        How far the region of interest reaches from the reference.

    Returns
    -------
    list of Measurement
        With the names that docs/measures.md defines.

    Raises
    ------
    InputError
        For labels outside the table, no implant, weeks that are not above 0, or a pose that leaves the
        reference outside the field of view.
    """
    from ImplantSegLib.volumes import FieldOfView

    sample = Sample(segmentation, FieldOfView.of(segmentation) if fov is None else fov)
    return measure(sample, survey(sample), registered(reference, pose, segmentation), weeks, roi_mm).measurements


def registered(reference: Reference, pose: Pose, grid: Volume) -> Distance:
    """Give the distance to the registered reference as a function of slices of a grid."""
    from ImplantSegQuantLib.reference import distance_slab

    return partial(distance_slab, reference, pose, grid)


def measure(
    sample: Sample,
    found: Survey,
    distance: Distance,
    weeks: float,
    roi_mm: float = ROI_MM,
    surface: bool = False,
) -> Result:
    """Measure a sample whose distance to the registered reference is known.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    found : Survey
        What :func:`~ImplantSegQuantLib.sample.survey` says of it.
    distance : callable
        Gives the signed distance of slices.
    weeks : float
        Healing time.
    roi_mm : float
        How far the region of interest reaches from the reference.
    surface : bool
        Whether to give the surface of the implant, too.

    Raises
    ------
    InputError
        See :func:`quantify`.
    """
    years(weeks)  # refuse a wrong healing time before the work, not after it
    if not roi_mm > 0:
        raise InputError(f"got a region of interest of {roi_mm} mm, wanted more than 0", "pass --roi-mm 1.0")
    measures = _walk(sample, distance, roi_mm)
    if not measures.shape.volume_mm3 > 0:
        raise InputError(
            "the registered reference does not reach into the field of view", "check the pose and the reference"
        )
    implant = None if measures.implant is None else contact.cut_out(sample, measures.region.mask, measures.implant)
    faces = contact_surface(implant, sample.segmentation.index_to_world, sample.slab) if implant and surface else None
    gaps = None if implant is None else contact_by_gap(implant, sample.slab)
    contacts, layer = _contact(sample, implant)
    measurements = [*_degradation(sample, found, measures, weeks), *contacts, *_tissue(sample, measures, roi_mm)]
    profiles = {"bone_implant_contact_by_gap": gaps, "degradation_layer_thickness": layer}
    return Result(measurements, sample.segmentation.like(measures.region), faces, profiles)


def _walk(sample: Sample, distance: Distance, roi_mm: float) -> Measures:
    """Everything that needs the distance, in one pass over it."""
    segmentation = sample.segmentation
    shape, depth = ShapeMeter(segmentation.spacing_mm), DepthMeter()
    region, bounds, counts = Region(segmentation.shape), Bounds(), np.zeros(256, np.int64)
    with progress.stage("measure", sample.steps, "slab") as advance:
        for window in sample.windows(halo=1):
            field, labels, inside = distance(window.read), sample.labels(window.read), sample.inside(window.read)
            near = in_roi(field, inside, roi_mm)
            shape.add(field, inside, window.inner)
            depth.add(labels, field, near, window.inner)
            labels, near = labels[window.inner], near[window.inner]
            region.put(window.z, near)
            bounds.add(np.isin(labels, IMPLANT) & near, window.z.start)
            counts += np.bincount(labels[near], minlength=256)
            advance()
    tissue = {label.value: int(counts[label]) for label in (Label.BONE, Label.BACKGROUND)}
    return Measures(shape.shape(), depth.depth_um(), region, tissue, int(counts.sum()), bounds.box)


def _degradation(sample: Sample, found: Survey, measures: Measures, weeks: float) -> list[Measurement]:
    """Volumes, surfaces, degradation rates and corrosion depth."""
    voxel_mm3 = sample.segmentation.voxel_volume_mm3
    residual, layer = (found.voxels[label] * voxel_mm3 for label in IMPLANT)
    shape = measures.shape
    loss = shape.volume_mm3 - residual
    warning = _loss_warning(residual, loss)
    rate = f"(V_i − V_r) / (A_i · t), t = {weeks:g} weeks · 7 / 365.25 a, A_i "
    depth_warning = (
        "" if measures.depth_um is not None else "no surface of residual material: corrosion depth undefined"
    )
    surface_warning = "" if shape.faces_mm2 > 0 else "no surface of the reference in the field of view"
    return [
        Measurement("initial_volume", shape.volume_mm3, "mm^3", note="reference ∩ field of view, sub-voxel weights"),
        Measurement("residual_volume", residual, "mm^3", note="voxels of label 1 in the field of view"),
        Measurement("degradation_layer_volume", layer, "mm^3", note="voxels of label 2 in the field of view"),
        Measurement("volume_loss", loss, "mm^3", note="V_i − V_r", warning=warning),
        Measurement("volume_loss_fraction", volume_loss_percent(shape.volume_mm3, residual), "%", note="VL / V_i"),
        Measurement("initial_surface", shape.faces_mm2, "mm^2", note="voxel faces", warning=surface_warning),
        Measurement("initial_surface_unbiased", shape.area_mm2, "mm^2", note="integral over the distance field"),
        Measurement("initial_surface_voxels", shape.surface_voxels_mm2, "mm^2", note="surface voxels × face area"),
        Measurement(
            "degradation_rate", degradation_rate(loss, shape.faces_mm2, weeks), "mm/a", note=rate + "by voxel faces"
        ),
        Measurement(
            "degradation_rate_unbiased", degradation_rate(loss, shape.area_mm2, weeks), "mm/a", note=rate + "unbiased"
        ),
        Measurement(
            "corrosion_depth", measures.depth_um, "µm", note="mean over the metal's surface", warning=depth_warning
        ),
    ]


def _loss_warning(residual_mm3: float, loss_mm3: float) -> str:
    if residual_mm3 == 0:
        return "complete degradation: there is no residual material"
    if loss_mm3 < 0:
        return (
            "the residual volume is larger than the initial volume, so the degradation rate is negative: "
            "the implant has swollen, or the reference or the labels are wrong"
        )
    return ""


def _contact(sample: Sample, implant: contact.Implant | None) -> tuple[list[Measurement], dict[str, Any] | None]:
    """Bone–implant contact in four ways and the layer's thickness, and how that spreads; it takes the pores out."""
    names = (
        "bone_implant_contact",
        "bone_implant_contact_voxels",
        "bone_implant_contact_weighted",
        "bone_implant_contact_without_pores",
    )
    if implant is None:
        warning = "no implant in the region of interest: contact and thickness undefined; the pose is probably wrong"
        nothing = [Measurement(name, None, "%") for name in names]
        return [*nothing, Measurement("degradation_layer_thickness", None, "µm", warning=warning)], None
    with progress.stage("contact", 5, "measure") as advance:
        values = []
        # the pores come last: they are taken out of the labels
        for how in (contact.contact_by_faces, contact.contact_by_voxels, contact.contact_by_normals):
            values.append(how(implant, sample.slab))
            advance()
        thickness, layer = layer_thickness(implant.labels, implant.spacing_mm)
        advance(note="thickness")
        values.append(contact.contact_without_pores(implant, sample.slab))
        advance()
    warning = "" if values[0] is not None else "the implant has no surface in the field of view: contact undefined"
    notes = ("voxel faces", "surface voxels", "voxel faces weighted by the surface normal", "voxel faces without pores")
    measurements = [
        Measurement(name, value, "%", note=note, warning=warning if name == names[0] else "")
        for name, value, note in zip(names, values, notes, strict=True)
    ]
    return [*measurements, thickness], layer


def _tissue(sample: Sample, measures: Measures, roi_mm: float) -> list[Measurement]:
    """Bone volume fraction and size of the region of interest."""
    bone, background = measures.tissue_voxels[Label.BONE], measures.tissue_voxels[Label.BACKGROUND]
    if not bone + background:
        warning = "neither bone nor background in the region of interest: BV/TV undefined"
    elif not bone:
        warning = "no bone in the region of interest: BV/TV and BIC are 0"
    else:
        warning = ""
    volume = measures.roi_voxels * sample.segmentation.voxel_volume_mm3
    return [
        Measurement(
            "bone_volume_fraction",
            contact.percent(bone, bone + background),
            "%",
            note="bone / (bone + background) in the region of interest",
            warning=warning,
        ),
        Measurement("roi_volume", volume, "mm^3", note=f"within {roi_mm:g} mm of the reference, its interior included"),
    ]
