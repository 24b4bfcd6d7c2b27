"""Errors that speak to the user: what was got, what was wanted, and what to do."""

from __future__ import annotations

import errno


class ImplantSegError(Exception):
    """A failure that the user can understand and mend.

    Parameters
    ----------
    message : str
        One sentence: what was got and what was wanted.
    remedy : str
        What to do about it.

    Attributes
    ----------
    kind : str
        Machine-readable name of the failure, as in ``{"event": "error", "kind": ...}``.
    exit_code : int
        Exit status of the process that ends with this error.
    """

    kind = "error"
    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class InputError(ImplantSegError, ValueError):
    """Input, option or file system that does not allow the work (exit code 2)."""

    kind = "input"
    exit_code = 2


class MissingPackageError(InputError):
    """A package that the work needs and that is not installed (exit code 2)."""

    kind = "package"


class MemoryLimitError(ImplantSegError):
    """The work does not fit into the memory that it may use (exit code 3)."""

    kind = "memory"
    exit_code = 3


def size_text(count: int | float) -> str:
    """Text of a number of bytes in the largest unit that it fills: ``4.0 GiB``, ``12 MiB``, ``340 bytes``."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            number = count / size
            return f"{number:.0f} {unit}" if number >= 9.95 else f"{number:.1f} {unit}"
    return f"{count:.0f} bytes"


def comes_of_interrupt(error: BaseException | None) -> bool:
    """Whether an error is an interrupt in disguise: compiled code that calls back into Python makes one of its own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, under whatever name; torch raises RuntimeErrors, and asking by text spares its import."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY))
    )


_NO_MEMORY = ("not enough memory", "can't allocate memory", "bad_alloc", "bad allocation", "can't start new thread")
