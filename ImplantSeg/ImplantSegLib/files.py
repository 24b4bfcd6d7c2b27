"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
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
    errno.EEXIST: ("a part of its path is a file, not a folder", "correct the path"),
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
        # numpy's tofile reports a full disk without a number, as "25600 requested and 22404 written"
        number = errno.ENOSPC if "requested and" in str(error) and error.errno is None else error.errno
        if number not in _REASONS:
            raise
        reason, remedy = _REASONS[number]
        # two names when a file is copied or renamed: the one of `path` is the one that matters
        names = [name for name in (error.filename, error.filename2) if isinstance(name, (str, os.PathLike))]
        if not names or any(partial(path).name in Path(name).parts or Path(name) == path for name in names):
            raise InputError(f"cannot {deed} {path}: {reason}", remedy) from error
        raise InputError(f"cannot {deed} {path}, because of {names[0]}: {reason}", remedy) from error


def partial(path: Path) -> Path:
    """Temporary name of a file or folder while it is being written, with every suffix of its name."""
    return path.with_name(f".partial-{path.name}")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path`` and rename what was written there at the end.

    The temporary path keeps every suffix of ``path``, so that writers which choose a format by the
    suffix work. What is written may be a file or a folder (which replaces an existing one). When the
    body fails, what it wrote is deleted and ``path`` is left as it was.

    Raises
    ------
    InputError
        When the disk is full, the folder may not be written, or a file would replace a folder.
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
    if not temporary.is_dir():
        refuse_folder(path)
        temporary.replace(path)
        return
    # no system renames a folder over a full one: put the old one aside first, so that it is lost last
    old = path.with_name(f".old-{path.name}")
    remove(old)
    if path.exists():
        path.replace(old)
    temporary.replace(path)
    remove(old)


def refuse_folder(path: Path) -> None:
    """Refuse to write a file where a folder is: whatever lies in it would be lost.

    Raises
    ------
    InputError
        When there is a folder of that name.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder, not a file", "name a file")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a read-only file system refuses to delete even what is not there
        path.unlink(missing_ok=True)


def refuse_overwriting(source: str | Path, target: str | Path) -> None:
    """Refuse to write a result over the very file that is being read.

    Raises
    ------
    InputError
        When both paths are the same file or folder, under whatever names.
    """
    source, target = Path(source), Path(target)
    same = source.samefile(target) if source.exists() and target.exists() else source.resolve() == target.resolve()
    if same:
        raise InputError(f"got {target} as input and as output", "choose another name for the output")


def check_writable(folder: str | Path) -> None:
    """Refuse a folder for results that cannot be made or written, before an hour of work is lost on it.

    Raises
    ------
    InputError
        When it, or what stands at its place, is no folder that may be written.
    """
    nearest = Path(folder).absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"cannot write results into {folder}: {nearest} is a file", "choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write results into {folder}: {nearest} may not be written", "choose another folder")


@contextmanager
def all_or_none(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder whose files are moved into ``folder`` at the end: all of them, or none.

    Files of other names that lie in ``folder`` stay. When the body fails, ``folder`` is left as it was.

    Raises
    ------
    InputError
        When the disk is full or the folder may not be written.
    """
    folder = Path(folder)
    made = not folder.exists()
    temporary = folder / partial(folder).name
    with explained_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            remove(temporary)
            temporary.mkdir()
            yield temporary
            for file in sorted(temporary.iterdir()):
                _exchange(file, folder / file.name)
            made = False
        except InputError as error:
            raise InputError(error.message.replace(str(temporary), str(folder)), error.remedy) from error
        finally:
            remove(temporary)
            if made:
                folder.rmdir()


def write_text(path: str | Path, text: str) -> None:
    """Write a whole UTF-8 text file, or none."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes as hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
