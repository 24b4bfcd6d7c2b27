"""Compiled work that lets go of the interpreter, on several cores.

How many is what ``IMPLANTSEG_THREADS`` says, else as many as this process may use. No result may depend on it: what is
summed is summed over pieces that the number of threads does not change.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from ImplantSegLib.errors import InputError

VARIABLE = "IMPLANTSEG_THREADS"

_PIECES = 4
"""Pieces of a range for each thread, so that none waits long for the last one."""

_share = threading.local()

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count() -> int:
    """Threads for the work at hand: all, or the share of the piece of work that this thread is busy with.

    Raises
    ------
    InputError
        When ``IMPLANTSEG_THREADS`` is no whole number above 0.
    """
    share: int | None = getattr(_share, "threads", None)
    if share is not None:
        return share
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return cores()
    if not (wanted.isdecimal() and int(wanted) > 0):
        raise InputError(f"got {VARIABLE}={wanted}, wanted a whole number above 0", f"unset {VARIABLE} or correct it")
    return int(wanted)


def each(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Give what ``work`` makes of every item, in their order; items are worked on at once.

    Work may call this itself: it then gets its share of the threads.
    """
    items = list(items)
    threads = count()
    workers = min(threads, len(items))
    if workers < 2:
        return [work(item) for item in items]
    pool = ThreadPoolExecutor(workers, initializer=_take_share, initargs=(max(1, threads // workers),))
    try:
        return list(pool.map(work, items))
    finally:  # a cancelled run does not wait for what has not begun
        pool.shutdown(wait=False, cancel_futures=True)


def each_range(work: Callable[[int, int], R], start: int, stop: int) -> list[R]:
    """Give what ``work(low, high)`` makes of the pieces that ``start`` to ``stop`` is cut into, in their order."""
    pieces = max(1, min(stop - start, _PIECES * count() if count() > 1 else 1))
    cuts = [start + (stop - start) * piece // pieces for piece in range(pieces + 1)]
    return each(lambda ends: work(*ends), pairwise(cuts))


def _take_share(threads: int) -> None:
    _share.threads = threads
