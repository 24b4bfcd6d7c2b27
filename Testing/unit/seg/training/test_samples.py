"""Samples for training: how they are listed, and everything that can be wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.training.samples import Sample, check, parse_slices, read_samples
from ImplantSegLib.volumes import Volume, write

SPACING = (0.01, 0.02, 0.03)


@pytest.fixture
def sample(tmp_path):
    """Write a sample of noise with labels 0 to 3 in layers; labels, their place and slices can be chosen."""

    def make(name="a", labels=None, origin_mm=(0.0, 0.0, 0.0), slices=()):
        grey = np.random.default_rng(0).normal(0, 1, (8, 6, 7)).astype(np.float32)
        labels = (
            np.arange(8, dtype=np.uint8)[:, None, None] % 4 * np.ones((1, 6, 7), np.uint8) if labels is None else labels
        )
        write(Volume(grey, SPACING), tmp_path / f"{name}.nrrd")
        write(Volume(labels, SPACING, origin_mm), tmp_path / f"{name}-labels.nrrd")
        return Sample(tmp_path / f"{name}.nrrd", tmp_path / f"{name}-labels.nrrd", slices=slices)

    return make


def test_good_samples_pass(sample):
    check([sample("a"), sample("b", slices=(1, 6))])


def test_slices_that_nobody_corrected_are_unknown(sample):
    labels = sample(slices=(1, 6)).open_labels()
    found = np.concatenate([block for _, block in labels.slabs(3)])
    expected = np.full((8, 6, 7), 255)
    expected[1], expected[6] = 1, 2
    np.testing.assert_array_equal(found, expected)
    assert labels.spacing_mm == SPACING


def refused(samples):
    with pytest.raises(InputError) as caught:
        check(samples)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.zeros((8, 6, 7), np.uint8)}, "nothing is labelled but background"),
        ({"labels": np.full((8, 6, 7), 255, np.uint8)}, "nothing is labelled but background"),
        ({"labels": np.full((8, 6, 7), 5, np.uint8)}, "its labels hold 5, wanted 0 background, 1 residual_material"),
        ({"labels": np.ones((7, 6, 7), np.uint8)}, "its labels have shape (7, 6, 7), the scan has (8, 6, 7)"),
        ({"origin_mm": (0.5, 0.0, 0.0)}, "its labels lie elsewhere"),
        ({"slices": (0, 4)}, "nothing is labelled but background"),
        ({"slices": (3, 8)}, "slice 8 was corrected, but it has 8 slices"),
        ({"name": "a b"}, "its name may hold letters"),
    ],
)
def test_what_is_wrong_is_told(sample, changes, words):
    assert words in refused([sample(**changes)])


def test_all_that_is_wrong_is_told_at_once(sample, tmp_path):
    empty = sample("empty", np.zeros((8, 6, 7), np.uint8))
    missing = Sample(tmp_path / "none.nrrd", empty.labels)
    told = refused([sample("a"), empty, missing])
    assert told.startswith("2 of 3 samples cannot train: empty: nothing is labelled but background; none: ")
    assert str(tmp_path / "none.nrrd") in told


def test_names_are_told_apart(sample):
    assert "2 samples have this name" in refused([sample("a"), sample("a")])


def test_no_samples_are_refused():
    with pytest.raises(InputError, match="got no samples"):
        check([])


def test_a_list_is_read_with_paths_relative_to_it(tmp_path):
    (tmp_path / "list.csv").write_text(
        'image,labels,name,slices\nscans/a.nrrd,a.seg.nrrd,,"3, 7 10:12"\n/far/b.nrrd,b.seg.nrrd,second,\n'
    )
    assert read_samples(tmp_path / "list.csv") == [
        Sample(tmp_path / "scans" / "a.nrrd", tmp_path / "a.seg.nrrd", "", (3, 7, 10, 11)),
        Sample(Path("/far/b.nrrd"), tmp_path / "b.seg.nrrd", "second", ()),
    ]
    assert [one.title for one in read_samples(tmp_path / "list.csv")] == ["a", "second"]


@pytest.mark.parametrize("text", ["", "image\na.nrrd\n", "image,labels,weight\na,b,1\n"])
def test_a_list_with_other_columns_is_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match="wanted image, labels and perhaps name, slices"):
        read_samples(tmp_path / "list.csv")


@pytest.mark.parametrize("text", ["-1", "1-3", "a", "1:b", "1.5"])
def test_slices_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="wanted numbers and ranges such as 3 7 10:20"):
        parse_slices(text)


def test_a_list_as_a_spreadsheet_writes_it(tmp_path):
    text = "Image;labels ;slices\r\na.nrrd;a.seg.nrrd;3 7,10:12\r\n;;\r\nb.nrrd; b.seg.nrrd;\r\n"
    (tmp_path / "list.csv").write_text(text, encoding="utf-8-sig")
    assert read_samples(tmp_path / "list.csv") == [
        Sample(tmp_path / "a.nrrd", tmp_path / "a.seg.nrrd", "", (3, 7, 10, 11)),
        Sample(tmp_path / "b.nrrd", tmp_path / "b.seg.nrrd"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [("a.nrrd,", "line 2 of .* names no scan or no labels"), ("a.nrrd,b.nrrd,3,7", "more cells than columns")],
)
def test_a_line_that_is_no_sample_is_refused(tmp_path, line, told):
    (tmp_path / "list.csv").write_text(f"image,labels,slices\n{line}\n")
    with pytest.raises(InputError, match=told):
        read_samples(tmp_path / "list.csv")
