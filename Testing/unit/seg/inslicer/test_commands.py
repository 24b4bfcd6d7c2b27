from pathlib import Path

import pytest

from ImplantSegLib import cli
from ImplantSegLib.inslicer import commands
from ImplantSegLib.inslicer.commands import Network, Part, Preparation

SCAN, LABELS, OUT = Path("scan.nrrd"), Path("labels.seg.nrrd"), Path("out.nrrd")
EVERYTHING = Network("m", "cpu", mirror=True, across=2, memory_gib=1.5)
PART = Part("0:3,:,:", 5)


def test_segment_names_only_what_was_chosen():
    assert commands.segment(SCAN, LABELS) == [SCAN, LABELS, "--device", "auto"]
    network = Network(" my.safetensors ", "cpu", mirror=True, across=2, memory_gib=1.5)
    assert commands.segment(SCAN, LABELS, network, Part("0:3,:,:", 2.5), Path("u.nrrd"), resume=True) == [
        SCAN, LABELS, "--model", "my.safetensors", "--device", "cpu", "--mirror", "--across", "2",
        "--max-memory", "1.5GiB", "--crop", "0:3,:,:", "--spacing-um", "2.5",
        "--uncertainty", Path("u.nrrd"), "--resume",
    ]  # fmt: skip


def test_preprocess_leaves_the_grey_values_to_the_model_unless_percentiles_are_given():
    assert not Preparation().needed
    assert commands.preprocess(SCAN, OUT, Preparation(binning=2)) == [SCAN, OUT, "--bin", "2", "--normalise", "none"]
    chosen = Preparation(denoise_strength=0.8, percentiles=(0.5, 99.5))
    assert chosen.needed
    assert commands.preprocess(SCAN, OUT, chosen, Part("0:3,:,:")) == [
        SCAN, OUT, "--denoise", "nlm", "--strength", "0.8", "--percentiles", "0.5", "99.5", "--crop", "0:3,:,:",
    ]  # fmt: skip


def test_info_and_quality():
    assert commands.info(SCAN, 5) == [SCAN, "--json", "--header-only", "--spacing-um", "5"]
    assert commands.quality(SCAN, "", OUT) == [SCAN, "--json", "--figure", OUT]
    assert commands.quality(SCAN, "m", OUT) == [SCAN, "--model", "m", "--json", "--figure", OUT]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("segment", commands.segment(SCAN, LABELS, EVERYTHING, PART, OUT, resume=True)),
        ("preprocess", commands.preprocess(SCAN, OUT, Preparation(2, 0.8, (1, 99)), PART)),
        ("preprocess", commands.preprocess(SCAN, OUT, Preparation(2))),
        ("info", commands.info(SCAN, 5)),
        ("quality", commands.quality(SCAN, "m", OUT)),
    ],
)
def test_the_verbs_know_every_option(verb, arguments, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    for option in [str(argument) for argument in arguments if str(argument).startswith("-")]:
        assert option in text
