"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ImplantSegLib.errors import InputError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free some space or choose another folder"),
    errno.EACCES: ("permission is denied", "choose a place that you may use, or change its permissions"),
    errno.EPERM: ("permission is denied", "choose a place that you may use, or change its permissions"),
    errno.EROFS: ("the file system is read-only", "choose a folder that you may write"),
    errno.ENOENT: ("it does not exist", "correct the path"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "correct the path"),
    errno.EISDIR: ("it is a folder, not a file", "name a file"),
    errno.ENAMETOOLONG: ("its name is too long", "choose a shorter name"),
}


@contextmanager
def explained_os_errors(path: Path, deed: str = "write") -> Iterator[None]:
    """Turn an :class:`OSError` of the file system into an :class:`~ImplantSegLib.errors.InputError`.

    Parameters
    ----------
    path : Path
        File or folder that the body works on: named when the error names none.
    deed : str
        What the body does with it, ``read`` or ``write``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        reason, remedy = _REASONS[error.errno]
        other = error.filename if isinstance(error.filename, str) else str(path)
        if partial(path).name in Path(other).parts or Path(other) == path:
            raise InputError(f"cannot {deed} {path}: {reason}", remedy) from error
        raise InputError(f"cannot {deed} {path}, because of {other}: {reason}", remedy) from error


def partial(path: Path) -> Path:
    """Temporary name of a file or folder while it is being written, with every suffix of its name."""
    return path.with_name(f".partial-{path.name}")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path`` and rename what was written there at the end.

    The temporary path keeps every suffix of ``path``, so that writers which choose a format by the
    suffix work. What is written may be a file or a folder (an existing folder is replaced). When the
    body fails, what it wrote is deleted and ``path`` is left as it was.

    Raises
    ------
    InputError
        When the disk is full or the folder may not be written.
    """
    path = Path(path)
    temporary = partial(path)
    with explained_os_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            remove(temporary)
            yield temporary
            _exchange(temporary, path)
        finally:
            remove(temporary)


def _exchange(temporary: Path, path: Path) -> None:
    if not (path.is_dir() or temporary.is_dir()):
        temporary.replace(path)
        return
    # no system renames a folder over a full one: put the old one aside first, so that it is lost last
    old = path.with_name(f".old-{path.name}")
    remove(old)
    if path.exists():
        path.replace(old)
    temporary.replace(path)
    remove(old)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a whole UTF-8 text file, or none."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes as hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
