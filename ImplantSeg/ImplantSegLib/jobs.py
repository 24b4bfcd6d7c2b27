"""Jobs: dataclasses that read from TOML, refuse unknown keys, and are saved beside every result."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import importlib.metadata
import platform
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from ImplantSegLib import __version__
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors, sha256, write_text

T = TypeVar("T")

PACKAGES = ("numpy", "scipy", "SimpleITK", "torch", "numba", "scikit-image", "zarr")
"""Packages whose versions can change a result."""


def from_mapping(kind: type[T], values: Mapping[str, Any], source: str = "the job") -> T:
    """Build a dataclass from nested mappings.

    Parameters
    ----------
    kind : type
        The dataclass to build; its fields may be dataclasses too.
    values : mapping
        Keys and values as a TOML file gives them.
    source : str
        Where the values come from, for messages.

    Raises
    ------
    InputError
        For an unknown key (naming the nearest known one), a missing key or a value of a wrong type.
    """
    from cattrs.errors import ClassValidationError

    try:
        return _converter().structure(values, kind)
    except ClassValidationError as group:
        key, error = next(_leaves(group))
        raise _explained(error, key, source) from group


def _converter() -> Any:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)
    # the defaults would convert: bool("no") is True, int(1.9) is 1, str(5) is "5"
    for primitive in _WANTED:
        converter.register_structure_hook(primitive, _exactly)
    converter.register_structure_hook_func(lambda kind: get_origin(kind) is Literal, _one_of)
    return converter


_WANTED: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text in quotes"),
}


def _exactly(value: Any, kind: Any) -> Any:
    accepted, wanted = _WANTED[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"got {value!r}, wanted {wanted}")
    return kind(value)


def _one_of(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"got {value!r}, wanted one of {', '.join(map(repr, get_args(kind)))}")
    return value


def _explained(error: BaseException, key: str, source: str) -> InputError:
    from cattrs.errors import ForbiddenExtraKeysError

    if isinstance(error, InputError):
        return InputError(f"{source}: {error.message}", error.remedy)
    if isinstance(error, ForbiddenExtraKeysError):
        unknown = sorted(error.extra_fields)[0]
        known = [field.name for field in dataclasses.fields(error.cl)]
        near = difflib.get_close_matches(unknown, known, n=1, cutoff=0)[0]
        return InputError(
            f"{source} has an unknown key {_joined(key, unknown)!r}",
            f"did you mean {near!r}? Known keys: {', '.join(known)}",
        )
    if isinstance(error, KeyError):
        return InputError(f"{source} lacks the key {key!r}", "add it")
    return InputError(f"{source} has a wrong value for {key!r}: {error}", "correct the value")


def _leaves(error: BaseException, above: str = "") -> Iterator[tuple[str, BaseException]]:
    """Yield the single errors of a cattrs group, each with the dotted key it belongs to."""
    from cattrs import AttributeValidationNote

    own = (note.name for note in getattr(error, "__notes__", []) if isinstance(note, AttributeValidationNote))
    key = _joined(above, next(own, ""))
    inside = getattr(error, "exceptions", None)
    if inside is None:
        yield key, error
    for part in inside or ():
        yield from _leaves(part, key)


def _joined(*names: str) -> str:
    return ".".join(filter(None, names))


def load_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file; a missing or broken one is an :class:`InputError`."""
    path = Path(path)
    with explained_os_errors(path, "read"):
        text = path.read_text(encoding="utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}", "correct that line") from error


def with_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Apply ``--set`` options ``section.key=value`` (values as in TOML) to nested mappings."""
    result: dict[str, Any] = copy.deepcopy(dict(values))
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"got --set {override!r}, wanted KEY=VALUE", "write for example --set optimiser.lr=0.001")
        *sections, key = path.strip().split(".")
        target: Any = result
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise InputError(
                    f"got --set {override!r}, but {section!r} is a value, not a section", "correct the key"
                )
        target[key] = _toml_value(text.strip())
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string: nobody quotes quotes on a command line


def to_toml(job: Any) -> str:
    """Text of a TOML file with the fields of a dataclass; ``None`` is left out."""
    import tomlkit

    return tomlkit.dumps(_without_none(dataclasses.asdict(job)))


def save(job: Any, path: str | Path) -> None:
    """Write a job beside its result."""
    write_text(path, to_toml(job))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def provenance(**inputs: str | Path | None) -> dict[str, Any]:
    """Tell what a result was made with: time, versions, machine, and the SHA-256 of every input file.

    Parameters
    ----------
    **inputs : path
        Input files by their role; folders are named without a hash.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "implantseg": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "inputs": {role: _input(Path(path)) for role, path in inputs.items() if path is not None},
    }


def _input(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": sha256(path)} if path.is_file() else {"path": str(path)}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
