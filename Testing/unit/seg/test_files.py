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


def test_a_folder_replaces_a_file_and_no_file_a_folder(tmp_path):
    path = tmp_path / "out"
    path.write_text("a file")
    with files.atomic_path(path) as temporary:
        folder(temporary, "new")
    assert names(path) == ["new"]
    with pytest.raises(InputError, match="out: it is a folder, not a file; name a file"):
        files.write_text(path, "a file again")
    assert names(path) == ["new"]
    assert names(tmp_path) == ["out"]


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


def test_folder_that_can_be_made_is_not_made(tmp_path):
    files.check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_file_in_the_way_is_named(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match=r"a is a file"):
        files.check_writable(tmp_path / "a" / "b")


def test_folder_that_may_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(InputError, match="may not be written"):
        files.check_writable(tmp_path / "out")


def test_a_file_is_not_written_over_itself_under_any_name(tmp_path):
    scan = tmp_path / "scan.nrrd"
    scan.write_text("voxels")
    (tmp_path / "link.nrrd").symlink_to(scan)
    (tmp_path / "hard.nrrd").hardlink_to(scan)
    (tmp_path / "sub").mkdir()
    for target in (scan, tmp_path / "sub" / ".." / "scan.nrrd", tmp_path / "link.nrrd", tmp_path / "hard.nrrd"):
        with pytest.raises(InputError, match="as input and as output"):
            files.refuse_overwriting(scan, target)
    files.refuse_overwriting(scan, tmp_path / "other.nrrd")


@pytest.mark.parametrize("there", [False, True])
def test_all_files_of_a_folder_appear_or_none(tmp_path, there):
    folder = tmp_path / "results"
    if there:
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        (folder / "a.json").write_text("old")
    before = names(tmp_path), names(folder) if there else None
    with pytest.raises(KeyboardInterrupt), files.all_or_none(folder) as inside:
        files.write_text(inside / "a.json", "new")
        raise KeyboardInterrupt
    assert (names(tmp_path), names(folder) if there else None) == before
    assert not there or (folder / "a.json").read_text() == "old"
    with files.all_or_none(folder) as inside:
        files.write_text(inside / "a.json", "new")
        files.write_text(inside / "b.json", "new")
    assert names(folder) == ["a.json", "b.json", *(["notes.txt"] if there else [])]
    assert (folder / "a.json").read_text() == "new"


def test_a_full_disk_is_told_by_the_name_that_the_user_gave(tmp_path):
    with (
        pytest.raises(InputError, match=rf"^cannot write {tmp_path}/out/a: the disk is full;"),
        files.all_or_none(tmp_path / "out") as inside,
        files.atomic_path(inside / "a"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_full_disk_that_numpy_reports_without_a_number(tmp_path):
    with pytest.raises(InputError, match="the disk is full"), files.explained_os_errors(tmp_path):
        raise OSError("25600 requested and 22404 written")


def test_of_two_names_in_an_error_the_one_that_is_written_matters(tmp_path):
    target = tmp_path / "copy"
    with (
        pytest.raises(InputError, match=rf"^cannot write {target}: the disk is full;"),
        files.atomic_path(target) as temporary,
    ):
        raise OSError(errno.ENOSPC, "No space left on device", "/origin", None, str(temporary))


def test_what_is_not_there_is_not_deleted(tmp_path, monkeypatch):
    def read_only(self, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", read_only)
    files.remove(tmp_path / "nothing")
