"""What the command lines of all verbs share: the parser, the common options, the types of arguments."""

from __future__ import annotations

import argparse
import logging
import math
import re
import shutil
import sys
import textwrap
from typing import Any, NoReturn

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError

_BYTES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Parser(argparse.ArgumentParser):
    """Parser whose errors are one sentence with a remedy, like all others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # no option of ours begins with a digit: -1:5,:,: is a value, and the verb says what is wrong with it
        self._negative_number_matcher = re.compile(r"-\d")

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong and end with status 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser(verb: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Parser of one verb, with the options that every verb has.

    Parameters
    ----------
    verb : str
        Name of the verb, as in ``implantseg VERB``.
    description : str
        What it does, one or two sentences.
    examples : str
        Command lines that work, one per line.
    """
    result = _Parser(
        prog=f"implantseg {verb}",
        description=textwrap.fill(description, max(shutil.get_terminal_size().columns - 2, 40)),
        epilog="examples:\n" + "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common = result.add_argument_group("common options")
    common.add_argument(
        "--progress",
        choices=("bar", "json", "none"),
        default="bar",
        help="how progress is shown on stderr: a bar, JSON lines for programs, or not at all (default: bar)",
    )
    common.add_argument("-v", "--verbose", action="store_true", help="log every step, not only what matters")
    return result


def parse(command: argparse.ArgumentParser, argv: list[str]) -> argparse.Namespace:
    """Parse the arguments of a verb and set up progress and logging as they ask."""
    options = command.parse_args(argv)
    progress.configure(options.progress)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        force=True,
    )
    return options


def parse_more(
    command: argparse.ArgumentParser, argv: list[str], given: argparse.Namespace, where: str
) -> argparse.Namespace:
    """Parse arguments that stand elsewhere, such as in a list; what they leave open is as given.

    Parameters
    ----------
    command : argparse.ArgumentParser
        The parser of the verb.
    argv : list of str
        What stands there.
    given : argparse.Namespace
        What the command line says; it stays as it is.
    where : str
        Where it stands, for messages.

    Raises
    ------
    InputError
        For a wrong value.
    """
    command.exit_on_error = False
    try:
        return command.parse_args(argv, argparse.Namespace(**vars(given)))
    except argparse.ArgumentError as error:
        raise InputError(f"{where}: {error}", "correct that value") from error


def add_crop(command: argparse._ActionsContainer) -> None:
    """Add ``--crop``, a text that :class:`~ImplantSegLib.volumes.Box` reads, to a verb or a group of its options."""
    command.add_argument(
        "--crop",
        default="",
        metavar="Z0:Z1,Y0:Y1,X0:X1",
        help="only these voxels, counted from 0, up to but not including the second number; : is a whole axis, as in "
        "100:400,:,:. The result keeps its place in the world; a field of view is told in voxels of the whole scan",
    )


def triple(convert: type[int] | type[float]):  # type: ignore[no-untyped-def]
    """Argument type ``Z,Y,X``: three numbers of the given type, or one that stands for all three."""

    def parse_triple(text: str) -> tuple[int, ...] | tuple[float, ...]:
        try:
            values = tuple(convert(part) for part in text.split(","))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"got {text!r}, wanted Z,Y,X or one number") from error
        if len(values) not in (1, 3) or not all(0 < value < math.inf for value in values):
            raise argparse.ArgumentTypeError(f"got {text!r}, wanted Z,Y,X or one number, all above 0")
        return values * 3 if len(values) == 1 else values

    return parse_triple


def byte_count(text: str) -> int:
    """Argument type for memory: ``8GiB``, ``500MB``, ``1000000``."""
    unit = next((unit for unit in _BYTES if text.endswith(unit)), "")
    try:
        value = int(float(text.removesuffix(unit)) * _BYTES.get(unit, 1))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a size such as 8GiB or 500MB") from error
    if value <= 0:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a size above 0")
    return value
