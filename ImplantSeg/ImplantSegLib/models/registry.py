"""The models of this machine by name: those that come with ImplantSeg, and those that were imported.

Imported models are plain files in one folder, so copying a file there or deleting it there does the same
as the functions here. A name is the name of the file without ``.safetensors``.
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import shutil
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, explained_os_errors
from ImplantSegLib.models.bundle import Bundle, load

SUFFIX = ".safetensors"

FOLDER_VARIABLE = "IMPLANTSEG_MODEL_DIR"
"""Environment variable that names the folder of the imported models."""


def folder() -> Path:
    """Folder of the imported models: ``IMPLANTSEG_MODEL_DIR``, or the platform's place for data of programs."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    home = Path.home()
    base = {
        "Windows": Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")),
        "Darwin": home / "Library" / "Application Support",
    }.get(platform.system(), Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")))
    return base / "implantseg" / "models"


def bundled() -> dict[str, Path]:
    """Model files that come with ImplantSeg, by name."""
    return _models_in(Path(str(resources.files("ImplantSegLib"))) / "data")


def installed() -> dict[str, Path]:
    """Model files that have a name, by name: the bundled ones first, then the imported ones.

    The name of a bundled model always means that model; an imported file of the same name, which only an
    update of ImplantSeg can lead to, is reached by its path.
    """
    own = bundled()
    return own | {name: path for name, path in _models_in(folder()).items() if name not in own}


def find(name_or_path: str | Path) -> Path:
    """Give the file of a model.

    Parameters
    ----------
    name_or_path : str or Path
        A name that :func:`installed` knows, or else the path of a file.

    Raises
    ------
    InputError
        When it is neither.
    """
    known = installed()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    near = difflib.get_close_matches(Path(name_or_path).stem, known, n=1)
    raise InputError(
        f"got the model {str(name_or_path)!r}, wanted a file or one of: {_listed(known)}",
        f"did you mean {near[0]!r}?" if near else "correct the path, or see `implantseg models`",
    )


def import_model(path: str | Path, name: str = "", replace: bool = False) -> Path:
    """Verify a model file and copy it into the folder of the imported models.

    Parameters
    ----------
    path : path
        File of the model.
    name : str
        Name that it gets; empty: the name of the file.
    replace : bool
        Whether an imported model of that name is overwritten.

    Returns
    -------
    Path
        Where it lies now.

    Raises
    ------
    InputError
        When the file is no whole model, the name cannot be a name, or it is taken.
    """
    path = Path(path)
    name = name or path.stem
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"got the model name {name!r}, wanted letters, digits and . _ + -", "pass --name NAME")
    if name in bundled():
        raise InputError(f"{name!r} is the name of a model that comes with ImplantSeg", "pass another --name")
    target = folder() / f"{name}{SUFFIX}"
    if target.exists() and not replace:
        raise InputError(f"there is already a model {name!r}", "pass another --name, or --replace")
    verify(path)
    _copy(path, target)
    return target


def export(name_or_path: str | Path, destination: str | Path) -> Path:
    """Copy a model to a file, or into a folder under its own name, and give the path of the copy."""
    source, destination = find(name_or_path), Path(destination)
    target = destination / source.name if destination.is_dir() else destination
    if target.suffix != SUFFIX:
        raise InputError(f"got the file name {target}, wanted one that ends in {SUFFIX}", "correct it")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target} is the model itself", "export it to another place")
    _copy(source, target)
    return target


def verify(name_or_path: str | Path) -> Bundle:
    """Read a model whole: header, checksum of the weights, and whether they fit the network.

    Raises
    ------
    InputError
        When any of them is wrong.
    """
    bundle = load(find(name_or_path))
    bundle.load_network()
    return bundle


def delete(name: str) -> Path:
    """Delete an imported model and give the path that it had.

    Raises
    ------
    InputError
        When there is no such model, or it comes with ImplantSeg.
    """
    if name in bundled():
        raise InputError(f"the model {name!r} comes with ImplantSeg", "only imported models can be deleted")
    known = _models_in(folder())
    if name not in known:
        raise InputError(f"got the model {name!r}, wanted one of: {_listed(known)}", "see `implantseg models`")
    with explained_os_errors(known[name], "delete"):
        known[name].unlink()
    return known[name]


def _listed(known: Iterable[str]) -> str:
    return ", ".join(known) or "none, as no model is installed"


def _models_in(place: Path) -> dict[str, Path]:
    # a hidden file is one that is being written
    files = (path for path in sorted(place.glob(f"*{SUFFIX}")) if path.is_file() and not path.name.startswith("."))
    return {path.stem: path for path in files}


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        # not shutil.copy: a copy of a file that one may only read can be deleted and replaced
        shutil.copyfile(source, temporary)
