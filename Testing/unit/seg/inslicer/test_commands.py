from pathlib import Path

import pytest

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import commands

SCAN, LABELS = Path("scan.nrrd"), Path("labels.seg.nrrd")


def test_segment_names_the_model_only_when_one_was_chosen():
    assert commands.segment(SCAN, LABELS) == [SCAN, LABELS, "--device", "auto"]
    assert commands.segment(SCAN, LABELS, " my.safetensors ", "cpu") == [
        SCAN, LABELS, "--model", "my.safetensors", "--device", "cpu",
    ]  # fmt: skip


def test_quantify():
    assert commands.quantify(LABELS, "out", "screw:diameter=3.5", 12.0) == [
        LABELS, "--reference", "screw:diameter=3.5", "--weeks", "12", "-o", "out",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("out", "reference", "weeks", "message"),
    [
        ("out", " ", 12, "no reference screw"),
        ("", "screw.stl", 12, "no folder"),
        ("out", "screw.stl", 0, "got a healing time of 0 weeks"),
        ("out", "screw.stl", float("nan"), "got a healing time of nan weeks"),
    ],
)
def test_a_field_left_empty_is_named(out, reference, weeks, message):
    with pytest.raises(InputError, match=message):
        commands.quantify(LABELS, out, reference, weeks)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("segment", commands.segment(SCAN, LABELS, "m", "cpu")),
        ("quantify", commands.quantify(LABELS, "out", "screw.stl", 12)),
    ],
)
def test_the_verbs_know_every_option(verb, arguments, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    for option in [str(argument) for argument in arguments if str(argument).startswith("-")]:
        assert option in text
