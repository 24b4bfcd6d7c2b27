"""Errors that speak to the user: what was got, what was wanted, and what to do."""

from __future__ import annotations


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


class MemoryLimitError(ImplantSegError):
    """The work does not fit into the memory that it may use (exit code 3)."""

    kind = "memory"
    exit_code = 3
