"""What happened: exceptions of slots, messages that a user would have seen; and what that user answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

errors: list[str] = []
"""Tracebacks of exceptions that came out of slots, timers and event handlers."""


@dataclass(frozen=True)
class Message:
    """A message box, or a text that a module showed for a moment."""

    kind: str
    """``error``, ``warning``, ``info``, ``question``, ``message``, ``delay``, ``status`` or ``url``."""
    text: str
    details: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


displayed: list[Message] = []
"""All messages since the last reset, the oldest first."""

answers: dict[str, Any] = {}
"""What dialogs return: ``confirm`` (bool) for questions, ``getOpenFileName`` and its like, ``getText``, ``exec``.

A value that can be called is called with the text or title of the dialog.
"""


def answer(key: str, question: str) -> Any:
    """Give the prepared answer.

    Raises
    ------
    LookupError
        When there is none: in the application the dialog would wait for a user.
    """
    if key not in answers:
        raise LookupError(f"a dialog waits for an answer: {question!r}; set host.answers[{key!r}] beforehand")
    prepared = answers[key]
    return prepared(question) if callable(prepared) else prepared


def show(kind: str, text: str, details: str = "") -> None:
    """Keep a message."""
    displayed.append(Message(kind, text, details))
