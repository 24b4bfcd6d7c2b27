from pathlib import Path

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import scanlist
from ImplantSegLib.inference.scanlist import as_arguments, read_list


def listed(tmp_path, content):
    path = tmp_path / "scans.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_list(path)


@pytest.mark.parametrize(
    "content",
    [
        'input,output,spacing_um\na.nrrd,b.nrrd,"1,2,3"\nc d.nrrd,,\n',
        '\ufeffinput,output,spacing_um\r\na.nrrd,b.nrrd,"1,2,3"\r\nc d.nrrd,,\r\n',  # as Excel saves it
        "input;output;spacing_um\na.nrrd;b.nrrd;1,2,3\n\n;;\nc d.nrrd;;\n",  # as a German Excel does
        "Input\tOutput\tspacing-um\na.nrrd\tb.nrrd\t1,2,3\n c d.nrrd \n",
    ],
)
def test_separators_byte_order_marks_and_empty_cells(tmp_path, content):
    assert listed(tmp_path, content) == [
        {"input": "a.nrrd", "output": "b.nrrd", "spacing_um": "1,2,3"},
        {"input": "c d.nrrd"},
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no column input"),
        ("scan,output\na,b\n", "has no column input"),
        ("input,output\n", "lists no scans"),
        ("input,probabilties\na,b\n", "unknown column 'probabilties'; did you mean 'probabilities'"),
        ("input,found\na,b\n", "unknown column 'found'"),
        ("input,model,model\na,b,c\n", "two columns 'model'"),
        ("input,output\n,b.nrrd\n", "line 2 of .* names no input"),
        ("input,spacing_um\na.nrrd,1,2,3\n", "line 2 of .* has more cells than columns"),
        ("input\ngrün.nrrd\n".encode("latin-1"), "is no text in UTF-8; save the table as CSV UTF-8"),
    ],
)
def test_what_is_no_list(tmp_path, content, words):
    with pytest.raises(InputError, match=words):
        listed(tmp_path, content)


def test_every_option_of_segment_is_a_column():
    from ImplantSegLib.inference.command import _parser

    not_for_rows = {"--help", "--progress", "--verbose", "--resume", "--dry-run", "--json"}
    longs = {name for action in _parser()._actions for name in action.option_strings if name.startswith("--")}
    columns = {"--" + name.replace("_", "-") for name in scanlist.COLUMNS}
    assert columns - longs == {"--input", "--output"}
    assert longs - columns == not_for_rows


def test_paths_are_relative_to_the_list(tmp_path):
    (tmp_path / "mask.nrrd").touch()
    row = {
        "input": "a.ome.zarr", "fov": "mask.nrrd", "model": "compact_unet", "uncertainty": "u.nrrd", "mirror": "yes",
        "postprocess": "0", "no_keep_largest": "true",
    }  # fmt: skip
    assert as_arguments(row, tmp_path, None) == [
        "--fov", str(tmp_path / "mask.nrrd"), "--model", "compact_unet", "--uncertainty", str(tmp_path / "u.nrrd"),
        "--mirror", "--no-postprocess", "--no-keep-largest",
        "--", str(tmp_path / "a.ome.zarr"), str(tmp_path / "a.seg.nrrd"),
    ]  # fmt: skip
    assert as_arguments({"input": "/x/a.tif", "output": "l.mha"}, tmp_path, Path("out"))[-2:] == [
        "/x/a.tif",
        "out/l.mha",
    ]


def test_a_switch_is_yes_or_no(tmp_path):
    with pytest.raises(InputError, match="got 'maybe' in the column 'mirror', wanted yes or no"):
        as_arguments({"input": "a", "mirror": "maybe"}, tmp_path, None)
