"""Every number of a sample, or of several segmentations of one scan.

Memory is bounded, whatever the number of slices: a few slabs of the scan (see :mod:`ImplantSegQuantLib.walk`), what
:mod:`ImplantSegQuantLib.thickness` says of itself, and the surface that is drawn. Nothing depends on how many slices
are held at a time, nor on the number of threads, to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegQuantLib.contact import percent
from ImplantSegQuantLib.contact_surface import contact_surface
from ImplantSegQuantLib.cut import Implant, cut_out
from ImplantSegQuantLib.degradation import degradation_rate, volume_loss_percent, years
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.roi import ROI_MM, Region, Registered
from ImplantSegQuantLib.sample import Sample, Survey, survey
from ImplantSegQuantLib.thickness import layer_thickness
from ImplantSegQuantLib.walk import Distance, Measures, walk

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume
    from ImplantSegQuantLib.mesh_file import Surface
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference

ALL_PARTS = frozenset({"gaps", "thickness", "surface"})
"""What takes time of its own, and may be left out."""


class Result(NamedTuple):
    """What was measured on a sample, and where."""

    measurements: list[Measurement]
    roi: Volume
    """The region of interest as voxels of 0 and 1 on the grid of the segmentation."""
    contact: Surface | None = None
    """The implant's surface with its contact, where it was asked for and there is any implant."""
    profiles: Mapping[str, Any] = MappingProxyType({})
    """What is more than a number: see docs/measures.md."""
    voxels: Mapping[int, int] = MappingProxyType({})
    """Voxels of every label in the field of view."""


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


def registered(reference: Reference, pose: Pose, grid: Volume) -> Registered:
    """Give the distance to the registered reference as a function of slices of a grid."""
    return Registered(reference, pose, grid)


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
    parts = ALL_PARTS if surface else ALL_PARTS - {"surface"}
    result = measure_all([sample], distance, weeks, roi_mm, parts)[0]
    assert found.voxels == result.voxels, "the segmentation has changed since it was surveyed"
    return result


def measure_all(
    samples: Sequence[Sample],
    distance: Distance,
    weeks: float,
    roi_mm: float = ROI_MM,
    parts: Collection[str] = (),
) -> list[Result]:
    """Measure several segmentations of one scan in one walk over it: they share the distance, and each is read once.

    Each result is what :func:`measure` gives for that segmentation alone, to the last bit; what a part gives that was
    not asked for is left out.

    Parameters
    ----------
    samples : sequence of Sample
        Segmentations on one grid, with one field of view. Their arrays are read from the first slab to the last, each
        slice once (again for the parts ``thickness`` and ``surface``), from several threads at once.
    distance : callable
        Gives the signed distance of slices.
    weeks : float
        Healing time.
    roi_mm : float
        How far the region of interest reaches from the reference.
    parts : collection of str
        What to measure beside volumes, surfaces, depth, contact and tissue, from :data:`ALL_PARTS`: ``gaps``, the
        contact by gap; ``thickness`` of the layer; and the ``surface`` of the implant.

    Raises
    ------
    InputError
        For labels outside the table, weeks or a region of interest that are not above 0, or a reference outside the
        field of view. A segmentation without implant is none: its contact is undefined.
    """
    assert set(parts) <= ALL_PARTS, f"got parts {parts}, wanted some of {ALL_PARTS}"
    years(weeks)  # refuse a wrong healing time before the work, not after it
    if not roi_mm > 0:
        raise InputError(f"got a region of interest of {roi_mm} mm, wanted more than 0", "pass --roi-mm 1.0")
    found = walk(samples, distance, roi_mm, "gaps" in parts)
    if not found[0].shape.volume_mm3 > 0:
        raise InputError(
            "the registered reference does not reach into the field of view", "check the pose and the reference"
        )
    return [
        _result(sample, one, Region(sample, distance, roi_mm), weeks, parts)
        for sample, one in zip(samples, found, strict=True)
    ]


def _result(sample: Sample, found: Measures, region: Region, weeks: float, parts: Collection[str]) -> Result:
    implant = None if found.implant is None else cut_out(sample, region.mask, found.implant)
    faces = None
    if implant and "surface" in parts:
        faces = contact_surface(implant, sample.segmentation.index_to_world, sample.slab)
    measurements = [*_degradation(sample, found, weeks), *_contact(found)]
    profiles: dict[str, Any] = {"bone_implant_contact_by_gap": found.gaps} if "gaps" in parts else {}
    if "thickness" in parts:
        thickness, spread = _thickness(implant, sample.slab)
        measurements.append(thickness)
        profiles["degradation_layer_thickness"] = spread
    measurements += _tissue(sample, found, region.radius_mm)
    return Result(measurements, sample.segmentation.like(region), faces, profiles, found.voxels)


def _degradation(sample: Sample, measures: Measures, weeks: float) -> list[Measurement]:
    """Volumes, surfaces, degradation rates and corrosion depth."""
    voxel_mm3 = sample.segmentation.voxel_volume_mm3
    residual, layer = (measures.voxels[label] * voxel_mm3 for label in IMPLANT)
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


_CONTACTS = {
    "bone_implant_contact": "voxel faces",
    "bone_implant_contact_voxels": "surface voxels",
    "bone_implant_contact_weighted": "voxel faces weighted by the surface normal",
    "bone_implant_contact_without_pores": "voxel faces without pores",
}


def _contact(measures: Measures) -> list[Measurement]:
    """Bone–implant contact in four ways."""
    if measures.implant is None:
        warning = "no implant in the region of interest: contact and thickness undefined; the pose is probably wrong"
    elif measures.contact_percent[0] is None:
        warning = "the implant has no surface in the field of view: contact undefined"
    else:
        warning = ""
    return [
        Measurement(name, value, "%", note=note, warning=warning if name == "bone_implant_contact" else "")
        for (name, note), value in zip(_CONTACTS.items(), measures.contact_percent, strict=True)
    ]


def _thickness(implant: Implant | None, slab: int) -> tuple[Measurement, dict[str, Any] | None]:
    if implant is None:  # the contact says why
        return Measurement("degradation_layer_thickness", None, "µm"), None
    return layer_thickness(implant.labels, implant.spacing_mm, slab)


def _tissue(sample: Sample, measures: Measures, roi_mm: float) -> list[Measurement]:
    """Bone volume fraction and size of the region of interest."""
    bone, background = measures.roi_voxels[Label.BONE], measures.roi_voxels[Label.BACKGROUND]
    if not bone + background:
        warning = "neither bone nor background in the region of interest: BV/TV undefined"
    elif not bone:
        warning = "no bone in the region of interest: BV/TV and BIC are 0"
    else:
        warning = ""
    volume = sum(measures.roi_voxels.values()) * sample.segmentation.voxel_volume_mm3
    return [
        Measurement(
            "bone_volume_fraction",
            percent(bone, bone + background),
            "%",
            note="bone / (bone + background) in the region of interest",
            warning=warning,
        ),
        Measurement("roi_volume", volume, "mm^3", note=f"within {roi_mm:g} mm of the reference, its interior included"),
    ]
