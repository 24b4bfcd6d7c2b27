"""The table of verbs: the one place that knows everything, and imports it only when it is called."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NamedTuple, NoReturn

from ImplantSegLib import __version__, progress
from ImplantSegLib.errors import (
    ImplantSegError,
    InputError,
    MemoryLimitError,
    MissingPackageError,
    comes_of_interrupt,
    is_out_of_memory,
)


class Verb(NamedTuple):
    """A verb of the command line: where its function is and what it does."""

    target: str
    summary: str


VERBS: dict[str, Verb] = {
    "demo": Verb("ImplantSegQuantLib.demo:main", "phantom → preprocess → segment → quantify → report"),
    "phantom": Verb("ImplantSegLib.phantom.command:main", "make a synthetic explant with exactly known truth"),
    "info": Verb("ImplantSegLib.volumes.command:info", "what a file is: shape, voxel size, values"),
    "convert": Verb("ImplantSegLib.volumes.command:convert", "convert between volume formats, slab by slab"),
    "preprocess": Verb("ImplantSegLib.preprocess.command:preprocess", "bin, denoise and scale a scan to [0, 1]"),
    "quality": Verb("ImplantSegLib.inference.quality_command:quality", "SNR, CNR, histograms; does a model fit"),
    "models": Verb("ImplantSegLib.models.command:main", "list, show, import, export, verify and delete models"),
    "segment": Verb("ImplantSegLib.inference.command:segment", "segment a scan with a model"),
    "evaluate": Verb("ImplantSegQuantLib.command:evaluate", "IoU, Dice and confusion against ground truth"),
    "register": Verb("ImplantSegQuantLib.command:register", "find the pose of the reference screw"),
    "quantify": Verb("ImplantSegQuantLib.command:quantify", "degradation rate, BIC, BV/TV and a report"),
    "calibrate": Verb("ImplantSegQuantLib.calibrate_command:calibrate", "what a model's measures are worth: intervals"),
    "study": Verb("ImplantSegQuantLib.study.command:study", "many samples: a paper's tables, figures and statistics"),
    "train": Verb("ImplantSegLib.training.command:train", "train a model from a recipe"),
    "train-report": Verb("ImplantSegLib.training.command:train_report", "curves and worst slices of a training"),
    "crossval": Verb("ImplantSegLib.training.crossval_command:crossval", "all folds of recipes, summed up"),
    "export-training": Verb(
        "ImplantSegLib.training.export_command:export_training", "a folder that trains by one command"
    ),
    "environment": Verb("ImplantSegLib.environment.command:environment", "versions, GPU, memory, missing packages"),
}

CANCELLED = 130
"""Exit status of a run that was cancelled: what a shell tells of a program that Ctrl-C ended."""

USAGE = """\
usage: implantseg VERB [options]

{verbs}

implantseg VERB --help   tells more about a verb, with examples
implantseg --version     tells the version
"""


def main(argv: list[str] | None = None) -> int:
    """Run a verb and give the exit status: 0 done, 2 bad input, 3 out of memory, 130 cancelled, 1 a bug."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"implantseg {__version__}")
        return 0
    if argv[0] not in VERBS:
        near = difflib.get_close_matches(argv[0], VERBS, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "see implantseg --help"
        return _fail(InputError(f"got verb {argv[0]!r}, wanted one of: {', '.join(VERBS)}", remedy))
    with _termination_as_interrupt():
        return _run(argv[0], argv[1:])


def run() -> NoReturn:
    """Run the program: :func:`main`, and the end of the process."""
    status = main()
    if status == CANCELLED:
        # at once: threads of libraries would first finish what they have, and an interrupt that came while a library
        # was imported makes Python end with another status than the one it is given
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def usage() -> str:
    """Text of ``implantseg --help``."""
    width = max(map(len, VERBS))
    return USAGE.format(verbs="\n".join(f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items()))


def resolve(verb: str) -> Callable[[list[str]], None]:
    """Import the function of a verb."""
    module, function = VERBS[verb].target.split(":")
    return getattr(importlib.import_module(module), function)


def _run(verb: str, argv: list[str]) -> int:
    try:
        resolve(verb)(argv)
        sys.stdout.flush()  # here, so that a reader who has gone is noticed inside this try
    except ImplantSegError as error:
        return _fail(error)
    except ModuleNotFoundError as error:
        return _fail(_missing_package(error))
    except KeyboardInterrupt:
        return _cancelled()
    except BrokenPipeError:
        # the reader of our output has gone (`implantseg ... | head`); nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if comes_of_interrupt(error):
            return _cancelled()
        if is_out_of_memory(error):
            return _fail(MemoryLimitError(f"out of memory ({error})", "close programs or pass a smaller --max-memory"))
        # a bug: told to whoever reads JSON lines, then shown by Python with its traceback and exit status 1
        progress.emit("error", kind="bug", message=f"{type(error).__name__}: {error}", remedy="report it")
        raise
    return 0


def _cancelled() -> int:
    progress.emit("error", kind="cancelled", message="cancelled", remedy="")
    print("cancelled", file=sys.stderr)
    return CANCELLED


def _missing_package(error: ModuleNotFoundError) -> ImplantSegError:
    package = (error.name or "").partition(".")[0]
    if not package or package.startswith("ImplantSeg"):
        raise error
    return MissingPackageError(
        f"the package {package!r} is needed for this and is not installed",
        "install implantseg with the extra that the README names for this, or install that package",
    )


def _fail(error: ImplantSegError) -> int:
    progress.emit("error", kind=error.kind, message=error.message, remedy=error.remedy)
    print(f"error: {error}", file=sys.stderr)
    logging.getLogger(__name__).info("the error came from here", exc_info=error)
    return error.exit_code


RETRY_S = 0.05
"""Time after which a signal that came while numba compiled is tried again."""


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """While inside, SIGTERM (schedulers, the Cancel button) ends a run as Ctrl-C does; neither breaks a compiler."""
    inside = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not _in_numba(frame):
            progress.interrupt()
        progress.cancel()  # a loop of short kernels may be met inside numba each time: its stage ends it
        threading.Timer(RETRY_S, again, [number]).start()

    def again(number: int) -> None:
        if inside and progress.cancelling():
            signal.raise_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; whoever runs a verb elsewhere cancels through `progress`
        return
    # an ignored signal stays ignored, as a shell asks for that of jobs in the background
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        inside = False
        for number, handler in previous.items():
            signal.signal(number, handler)


def _in_numba(frame: FrameType | None) -> bool:
    """Whether numba compiles or loads a kernel: its C code crashes when its Python code raises."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in ("numba", "llvmlite"):
            return True
        frame = frame.f_back
    return False
