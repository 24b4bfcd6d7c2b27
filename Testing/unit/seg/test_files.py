import errno
import hashlib
import os
from pathlib import Path

import pytest

from ImplantSegLib import files
from ImplantSegLib.errors import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_and_its_temporary_name_goes(tmp_path):
    path = tmp_path / "new folder" / "scan.seg.nrrd"
    with files.atomic_path(path) as temporary:
        temporary.write_text("half")
        assert temporary.name.endswith(".seg.nrrd")
        assert temporary.parent == path.parent
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["scan.seg.nrrd"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(failure), files.atomic_path(path) as temporary:
        temporary.write_text("half of the new")
        raise failure
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def folder(path: Path, name: str) -> None:
    path.mkdir()
    (path / name).write_text(name)


def test_a_folder_replaces_a_folder(tmp_path):
    path = tmp_path / "labels.ome.zarr"
    folder(path, "old")
    with files.atomic_path(path) as temporary:
        folder(temporary, "new")
        assert names(path) == ["old"]
    assert names(path) == ["new"]
    assert names(tmp_path) == [path.name]


def test_a_folder_replaces_a_file_and_a_file_a_folder(tmp_path):
    path = tmp_path / "out"
    path.write_text("a file")
    with files.atomic_path(path) as temporary:
        folder(temporary, "new")
    assert names(path) == ["new"]
    with files.atomic_path(path) as temporary:
        temporary.write_text("a file again")
    assert path.read_text() == "a file again"


def test_leftovers_of_a_killed_run_are_replaced(tmp_path):
    path = tmp_path / "scan.nrrd"
    folder(files.partial(path), "leftover")
    with files.atomic_path(path) as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == ["scan.nrrd"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission"), (errno.EROFS, "read-only")],
)
def test_what_the_file_system_refuses_is_told_in_one_sentence(tmp_path, number, words):
    path = tmp_path / "scan.nrrd"
    with pytest.raises(InputError, match=f"cannot write .*scan.nrrd: .*{words}"), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_an_input_that_vanishes_while_writing_is_named_itself(tmp_path):
    with (
        pytest.raises(InputError, match=r"cannot write .*out.nrrd, because of .*in.tif: it does not exist"),
        files.atomic_path(tmp_path / "out.nrrd"),
    ):
        (tmp_path / "in.tif").read_bytes()


def test_a_parent_that_is_a_file_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder|not exist"), files.atomic_path(tmp_path / "file" / "deep" / "x"):
        raise AssertionError("the body must not run")


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    with pytest.raises(ConnectionResetError), files.atomic_path(tmp_path / "x"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


def test_text_is_utf8_and_its_hash_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "units.txt"
    files.write_text(path, "µm")
    assert path.read_bytes() == b"\xc2\xb5m"
    assert files.sha256(path) == hashlib.sha256(b"\xc2\xb5m").hexdigest()


def test_remove_takes_links_not_what_they_point_to(tmp_path):
    target = tmp_path / "target"
    folder(target, "kept")
    (tmp_path / "link").symlink_to(target)
    files.remove(tmp_path / "link")
    files.remove(tmp_path / "absent")
    assert names(tmp_path) == ["target"]
    assert names(target) == ["kept"]
