"""One progress channel: a bar on a terminal, JSON lines for the GUI and for schedulers.

Every long stage runs inside :func:`stage`; the command line chooses once, with :func:`configure`,
how progress is shown. A stage is also where a cancellation from another thread takes effect.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn, TypeVar

Mode = Literal["bar", "json", "none"]
Advance = Callable[..., None]
T = TypeVar("T")

LINE_INTERVAL_S = 0.2
"""Shortest time between two JSON lines of a stage; its first and last step are always told."""

_mode: Mode = "none"
_cancelled = False  # no lock: signal handlers set it


def configure(mode: Mode) -> None:
    """Choose how progress is shown: ``bar``, ``json`` (lines on stderr) or ``none`` (the start value)."""
    global _mode, _cancelled
    _mode, _cancelled = mode, False


def cancel() -> None:
    """Ask the running stage to stop: its next step raises :class:`KeyboardInterrupt`."""
    global _cancelled
    _cancelled = True


def cancelling() -> bool:
    """Whether a cancellation was asked for and nothing has stopped yet."""
    return _cancelled


def interrupt() -> NoReturn:
    """Stop: raise :class:`KeyboardInterrupt`, and forget the cancellation, so that what cleans up is left in peace."""
    global _cancelled
    _cancelled = False
    raise KeyboardInterrupt


def emit(event: str, **fields: Any) -> None:
    """Write one JSON line ``{"event": event, ...}`` to stderr when the mode is ``json``."""
    if _mode == "json":
        print(json.dumps({"event": event, **fields}), file=sys.stderr, flush=True)


@contextmanager
def stage(name: str, total: int, unit: str = "it") -> Iterator[Advance]:
    """Show the progress of one stage of work.

    Parameters
    ----------
    name : str
        What is being done, as one word: ``segment``, ``register``.
    total : int
        Steps in all.
    unit : str
        What one step is, for the bar: ``slab``, ``slice``.

    Yields
    ------
    advance : callable
        ``advance(steps=1, note="")`` tells that steps are done; ``note`` is shown behind the bar.

    Raises
    ------
    KeyboardInterrupt
        From ``advance``, once :func:`cancel` was called.
    """
    show, close = _bar(name, total, unit) if _mode == "bar" else _lines(name, total)

    def advance(steps: int = 1, note: str = "") -> None:
        if _cancelled:
            interrupt()
        show(steps, note)

    try:
        yield advance
    finally:
        close()


@contextmanager
def quiet() -> Iterator[None]:
    """Show no stage inside, because all of it is one step of another; a cancellation still takes effect."""
    global _mode
    shown, _mode = _mode, "none"
    try:
        yield
    finally:
        _mode = shown


def track(items: Iterable[T], name: str, total: int, unit: str = "it") -> Iterator[T]:
    """Yield the items of a stage, one step each."""
    with stage(name, total, unit) as advance:
        for item in items:
            yield item
            advance()


def _bar(name: str, total: int, unit: str) -> tuple[Callable[[int, str], None], Callable[[], None]]:
    from tqdm import tqdm

    bar = tqdm(total=total, desc=f"{name:>12}", unit=unit, dynamic_ncols=True, mininterval=0.2)

    def show(steps: int, note: str) -> None:
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(steps)

    return show, bar.close


def _lines(name: str, total: int) -> tuple[Callable[[int, str], None], Callable[[], None]]:
    start = time.monotonic()
    told = -math.inf
    done = 0

    def show(steps: int, note: str) -> None:
        nonlocal done, told
        done += steps
        elapsed = time.monotonic() - start
        if elapsed - told < LINE_INTERVAL_S and done < total:
            return
        told = elapsed
        eta_s = round(elapsed / done * max(total - done, 0), 1) if done else None
        emit("progress", stage=name, done=done, total=total, eta_s=eta_s, **({"note": note} if note else {}))

    show(0, "")
    return show, lambda: None
