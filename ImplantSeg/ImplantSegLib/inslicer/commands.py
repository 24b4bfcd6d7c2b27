"""The arguments that the Slicer modules pass to the verbs: what a user would type."""

from __future__ import annotations

from pathlib import Path

from ImplantSegLib.errors import InputError


def segment(image: Path, labels: Path, model: str = "", device: str = "auto") -> list[str | Path]:
    """Arguments of ``segment``; without a model it takes the one that comes with the program."""
    chosen: list[str | Path] = ["--model", model.strip()] if model.strip() else []
    return [image, labels, *chosen, "--device", device]


def quantify(segmentation: Path, out: str, reference: str, weeks: float) -> list[str | Path]:
    """Arguments of ``quantify``.

    Parameters
    ----------
    segmentation : Path
        Labels as a file.
    out : str
        Folder for the report and its numbers.
    reference : str
        A label volume, a mesh, or ``screw:diameter=3.5,length=16``.
    weeks : float
        Healing time.

    Raises
    ------
    InputError
        When a field of the form was left empty.
    """
    if not reference.strip():
        raise InputError("no reference screw was given", "choose a file, or write screw:diameter=3.5,length=16")
    if not out.strip():
        raise InputError("no folder for the results was given", "choose one")
    if not weeks > 0:
        raise InputError(
            f"got a healing time of {weeks} weeks, wanted more than 0", "enter the weeks since implantation"
        )
    return [segmentation, "--reference", reference.strip(), "--weeks", f"{weeks:g}", "-o", out.strip()]
