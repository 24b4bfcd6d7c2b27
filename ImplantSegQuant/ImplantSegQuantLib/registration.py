"""The whole of ``implantseg register``: files in, a pose out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ImplantSegQuantLib import checks, compare
from ImplantSegQuantLib.sample import Sample, survey
from ImplantSegQuantLib.workflow import MASK, field_of_view, mask_of

if TYPE_CHECKING:
    from ImplantSegQuantLib.mesh_file import Surface
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference


@dataclass(frozen=True)
class RegisterJob:
    """What to register, and with what; the fields are those of :class:`QuantifyJob`."""

    segmentation: str
    reference: str
    start: str | None = None
    """A pose to start from: then nothing is searched, only refined."""
    fov: str = "auto"
    spacing_um: tuple[float, float, float] | None = None


class Registered(NamedTuple):
    """A pose, and what it belongs to."""

    pose: Pose
    sample: Sample
    reference: Reference

    def surface(self) -> Surface:
        """Surface of the reference in the scan; see :func:`ImplantSegQuantLib.surface_map.reference_surface`."""
        from ImplantSegQuantLib.surface_map import reference_surface

        return reference_surface(self.reference, self.pose, self.sample.segmentation, self.sample.fov)


def find_pose(job: RegisterJob) -> Registered:
    """Find the pose of the reference in a segmentation.

    Raises
    ------
    InputError
        For input that cannot be registered.
    """
    from ImplantSegLib.volumes import read
    from ImplantSegQuantLib import pose as poses
    from ImplantSegQuantLib import reference as references
    from ImplantSegQuantLib.register import register

    start = None if job.start is None else poses.load_pose(job.start)
    volume = read(job.segmentation, job.spacing_um)
    checks.check_voxel_size(volume, "segmentation")
    if mask := mask_of(job.fov):
        compare.check_same_grid(volume, read(mask, job.spacing_um), "segmentation", MASK)
    sample = Sample(volume, field_of_view(job.fov, volume))
    survey(sample)
    reference = references.load(job.reference)
    return Registered(register(volume, reference, sample.fov, start), sample, reference)
