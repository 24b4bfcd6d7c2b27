"""Whether a scan looks like those that a model was trained on, for the verbs ``quality`` and ``segment``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ImplantSegLib.preprocess.familiar import unfamiliar
from ImplantSegLib.preprocess.fingerprint import as_seen, fingerprint

if TYPE_CHECKING:
    from ImplantSegLib.models import Bundle
    from ImplantSegLib.volumes import Volume


def differences(scan: Volume, bundle: Bundle) -> list[dict[str, Any]]:
    """Tell where a scan lies outside of what a model was trained on, see :func:`~.familiar.unfamiliar`.

    Parameters
    ----------
    scan : Volume
        With its field of view in the metadata; raw, or scaled as its metadata say.
    bundle : Bundle
        The model; of one that does not tell what it was trained on, nothing is found.
    """
    asked = {key: value for key, value in bundle.preprocessing.items() if key in ("low_percent", "high_percent")}
    return unfamiliar(fingerprint(as_seen(scan, **asked)), bundle.training_data)


def sentences(prepared: Volume, bundle: Bundle) -> list[str]:
    """Tell the same as warnings of a run, but for the voxel size, which a run checks before it reads a voxel.

    Sixteen slices at most are read, within a second.

    Parameters
    ----------
    prepared : Volume
        Raw voxels, and in the metadata ``normalised`` the grey values that become 0 and 1.
    bundle : Bundle
        The model.
    """
    if not bundle.training_data:
        return []
    found = unfamiliar(fingerprint(prepared), bundle.training_data)
    return [
        f"the scan looks unlike those that {bundle.name} was trained on: {one['sentence']}"
        for one in found
        if one["measure"] != "voxel_size_um"
    ]
