"""Ctrl-C, SIGTERM and SLURM's warnings, which wait for the end of a step, so that a run stops between two."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

ASKING = [signal.SIGINT, signal.SIGTERM]
"""What a user, a scheduler and torchrun send."""

WARNING = [getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
"""What SLURM sends some time before it ends a job (``--signal=USR1@120``)."""


class Interrupt:
    """While inside, the first signal is noted and :meth:`check` raises it; a second SIGINT or SIGTERM acts at once.

    Outside the main thread signals are left alone.
    """

    def __init__(self) -> None:
        self.asked = False
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raise :class:`KeyboardInterrupt` when a signal has arrived."""
        if self.asked:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (*ASKING, *WARNING):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.asked = True
        if number in ASKING:
            signal.signal(number, self._previous[number])
