"""What the command line says, as sentences for a panel. Needs no Slicer."""

from __future__ import annotations

import re
from pathlib import Path

_IN_THE_FORM = (
    (r" \(implantseg [^)]*\)", ""),
    (r"got --device cuda", "a GPU is chosen"),
    (r"pass --device cpu", "choose the CPU"),
    (r"pass --denoise none", "switch denoising off"),
    (r"pass another --across", "enter another number of slices"),
    (r"pass --spacing-um[^;,.]*", "enter the voxel size"),
    (r" with --spacing-um", ""),
    (r"--max-memory", "memory limit"),
    (r", or run without --resume to start anew", ", or choose another file for the result"),
    (r"run again without --resume", "switch going on with an unfinished run off"),
    (r" and run again with --resume", ", and run again"),
)
"""What is to be typed at a terminal, and what it is called in the forms."""

_FILES = {"prepared": "scan", "truth": "ground truth", "fov": "field of view"}
"""Names of temporary files that do not tell what they hold."""


def sentence(message: str, remedy: str = "", temporary: str = "") -> str:
    """Join what went wrong and what to do about it as sentences for a message box or a label.

    The command line speaks to somebody at a terminal: options get the names of the forms, those that no form has
    are left out, and temporary files are called by what they hold.

    Parameters
    ----------
    message, remedy : str
        What went wrong, and what to do about it.
    temporary : str
        Slicer's folder of temporary files.
    """
    parts = [_named(message), _possible(_named(remedy))]
    if temporary:
        parts = [_without_files(part, temporary) for part in parts]
    return " ".join(f"{part[0].upper()}{part[1:]}{'' if part[-1] in '.!?' else '.'}" for part in parts if part)


def _named(text: str) -> str:
    for pattern, words in _IN_THE_FORM:
        text = re.sub(pattern, words, text)
    return text


def _possible(remedy: str) -> str:
    """Leave out what only somebody at a terminal can do."""
    clauses = remedy.split("; ")
    remedy = "; ".join([clause for clause in clauses if not _option(clause)] or clauses)
    return "" if _option(kept := re.sub(r"(?:, or|,) [^,;]*--[a-z][^,;]*", "", remedy)) else kept


def _option(text: str) -> bool:
    return re.search(r"(?<!\S)--[a-z]", text) is not None


def _without_files(text: str, temporary: str) -> str:
    file = re.escape(str(Path(temporary))) + r"[/\\]ImplantSeg(?:Quant)?-\w+[/\\](\w+)(?:\.\w+)+"
    return re.sub(file, lambda found: f"the {_FILES.get(found[1], found[1])}", text)
