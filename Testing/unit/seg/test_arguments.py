import argparse
import logging

import pytest

from ImplantSegLib import arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [("8GiB", 8 * 2**30), ("500MB", 500_000_000), ("1.5kB", 1500), ("1000", 1000), ("1TiB", 2**40)],
)
def test_byte_counts(text, value):
    assert arguments.byte_count(text) == value


@pytest.mark.parametrize("text", ["", "GiB", "8 gigs", "-1GiB", "0", "nan", "inf", "1e999GiB"])
def test_byte_counts_that_are_none(text):
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a size"):
        arguments.byte_count(text)


def test_triples_are_z_y_x_or_one_number_for_all():
    assert arguments.triple(int)("1,2,3") == (1, 2, 3)
    assert arguments.triple(float)("2.76") == (2.76, 2.76, 2.76)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "1,0,2", "-1", "a", "nan", "inf,1,1", "1.5"])
def test_triples_that_are_none(text):
    with pytest.raises(argparse.ArgumentTypeError, match="wanted Z,Y,X or one number"):
        arguments.triple(int)(text)


@pytest.mark.parametrize("text", ["nan", "inf", "1,inf,1"])
def test_float_triples_are_finite(text):
    with pytest.raises(argparse.ArgumentTypeError, match="all above 0"):
        arguments.triple(float)(text)


def test_every_parser_has_the_common_options_and_its_examples(capsys):
    command = arguments.parser("info", "Tells what a file is.", "implantseg info a.nrrd\n  implantseg info b.tif")
    with pytest.raises(SystemExit) as end:
        arguments.parse(command, ["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert "--progress {bar,json,none}" in text
    assert "examples:\n  implantseg info a.nrrd\n  implantseg info b.tif" in text


def test_parsing_sets_up_progress_and_logging(capsys):
    command = arguments.parser("info", "Tells what a file is.", "implantseg info a.nrrd")
    arguments.parse(command, ["--progress", "json", "--verbose"])
    logging.getLogger("ImplantSegLib.test").info("read 3 slices")
    assert "INFO ImplantSegLib.test: read 3 slices" in capsys.readouterr().err
    arguments.parse(command, [])
    logging.getLogger("ImplantSegLib.test").info("unheard")
    assert capsys.readouterr().err == ""


def test_options_are_not_abbreviated(capsys):
    command = arguments.parser("info", "Tells what a file is.", "implantseg info a.nrrd")
    with pytest.raises(SystemExit) as end:
        arguments.parse(command, ["--prog", "json"])
    assert end.value.code == 2
    assert "--prog" in capsys.readouterr().err


def test_wrong_arguments_are_told_in_one_sentence(capsys):
    with pytest.raises(SystemExit) as end:
        arguments.parse(arguments.parser("info", "Tells what a file is.", "implantseg info a.nrrd"), ["--nonsense"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --nonsense; see implantseg info --help\n"
