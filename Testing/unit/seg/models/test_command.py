import errno
import json
import os

import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.files import sha256
from ImplantSegLib.models import describe, registry
from ImplantSegLib.models.command import DEEDS


@pytest.fixture
def run(folder, capsys):
    """Run ``implantseg models``: its exit code, what it printed and its error."""

    def run(*arguments):
        code = cli.main(["models", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def test_a_model_from_import_to_delete(run, model_file, folder, tmp_path):
    assert run("import", model_file, "--name", "mine") == (0, f"{folder / 'mine.safetensors'}\n", "")
    code, listed, _ = run()
    assert code == 0
    head = ["name", "network", "dim", "voxel", "mIoU", "memory", "size", "from", "summary"]
    assert listed.splitlines()[0].split() == head
    line = listed.splitlines()[-1]
    assert line.startswith("mine ")
    assert line.endswith(" tiny U-Net")
    assert " import " in line
    assert " 10 µm " in line
    assert run("verify", "mine")[1].startswith("mine: whole, weights ")
    assert run("export", "mine", tmp_path / "out.safetensors")[0] == 0
    assert (tmp_path / "out.safetensors").is_file()
    assert run("delete", "mine")[1] == f"deleted {folder / 'mine.safetensors'}\n"
    assert "mine" not in run("list")[1]


def test_the_list_as_json(run, model_file, folder):
    run("import", model_file)
    expected = {
        "name": "tiny",
        "from": "import",
        "deletable": True,
        "path": str(folder / "tiny.safetensors"),
        "bytes": model_file.stat().st_size,
        "sha256": sha256(model_file),
        "network": "unet",
        "dimensions": "2D",
        "licence": "Apache-2.0",
        "trained_on": "2 scans, recipe tiny",
        "voxel_size_um": [10.0, 10.0, 10.0],
        "mean_iou_percent": 81.25,
        "iou_percent": {"bone": 90.5},
        "memory_window": [512, 512],
        "problems": [],
    }
    for arguments in (["--json"], ["list", "--json"], ["list", "--progress", "none", "--json"]):
        last = json.loads(run(*arguments)[1])[-1]
        assert {key: last[key] for key in expected} == expected
        # every pixel of the window passes layers of float32 that give out some channels each
        assert 512 * 512 * 4 * 10 < last["memory_bytes"] < 512 * 512 * 4 * 400
        network = models.load(model_file).load_network()
        assert last["parameters"] == sum(value.numel() for value in network.parameters())


def test_the_quick_list_leaves_out_what_needs_torch(run, model_file):
    run("import", model_file)
    last = json.loads(run("list", "--json", "--quick")[1])[-1]
    assert (last["name"], last["problems"], last["memory_bytes"], last["parameters"]) == ("tiny", [], None, None)


def test_the_bundled_model_says_what_it_was_trained_on_and_cannot_be_deleted(run):
    first = json.loads(run("--json")[1])[0]
    assert (first["deletable"], first["problems"], first["parameters"]) == (False, [], 1_080_692)
    assert first["trained_on"] == "28 scans, cohort development, recipe compact_unet_contact"
    assert first["weights_sha256"].startswith("d100430c")
    assert first["training_data"]["scans"] == 28
    assert "\ntrained noise_percent " in run("show", "compact_unet")[1]


@pytest.mark.parametrize("content", [b"no model", b"", None])
def test_a_damaged_file_is_listed_with_its_problem_and_can_be_deleted(run, model_file, folder, content):
    run("import", model_file)
    path = folder / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    run("import", model_file, "--name", "whole")
    code, listed, error = run()
    assert (code, error) == (0, "")
    assert "is no model file or is damaged" in listed
    entries = {one["name"]: one for one in json.loads(run("--json")[1])}
    assert "is no model file or is damaged" in entries["tiny"]["problems"][0]
    assert entries["whole"]["problems"] == []
    assert entries["tiny"].keys() == entries["whole"].keys()
    assert run("delete", "tiny")[0] == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "has format 99, wanted at most"),
        ({"network": "resnet"}, "the network 'resnet' is unknown to this version"),
        ({"options": {"width": 4}}, "the weights do not fit network 'unet'"),
        ({"options": {"width": "wide"}}, "do not fit network 'unet'"),
        ({"options": {"wide": 2}}, "has no option 'wide'"),
        ({"scores": {"mean_iou_percent": "good"}}, "is damaged (could not convert"),
        ({"provenance": {"recipe": "tiny"}}, "is damaged ("),
        ({"owner": "me"}, "unknown key 'owner'"),
    ],
)
def test_a_model_that_cannot_be_used_is_listed_with_its_problem(run, model_file, folder, rewrite, changes, words):
    run("import", model_file)
    rewrite(folder / "tiny.safetensors", lambda said: said | changes)
    code, listed, _ = run()
    assert code == 0
    assert words in listed
    assert words in json.loads(run("--json")[1])[-1]["problems"][0]


def test_a_model_that_may_not_be_read_is_listed_with_its_problem(run, model_file, monkeypatch):
    run("import", model_file)

    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(describe, "sha256", refuse)
    assert "permission is denied" in json.loads(run("--json")[1])[-1]["problems"][0]


def test_without_torch_the_list_tells_the_rest(run, model_file, monkeypatch):
    run("import", model_file)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    last = json.loads(run("--json")[1])[-1]
    assert (last["problems"], last["parameters"], last["memory_bytes"]) == ([], None, None)
    assert last["network"] == "unet"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_importing_onto_a_full_disk_is_one_sentence_and_leaves_nothing(run, model_file, folder, monkeypatch, number):
    def half(source, target):
        target.write_bytes(source.read_bytes()[:1000])
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr("shutil.copyfile", half)
    code, _, error = run("import", model_file)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert error.startswith(f"error: cannot write {folder / 'tiny.safetensors'}: the disk ")
    assert list(folder.iterdir()) == []


def test_importing_into_a_folder_that_one_may_not_write_is_one_sentence(run, model_file, folder, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.mkdir", refuse)
        code, _, error = run("import", model_file)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert "permission is denied; choose a place that you may use" in error
    assert not folder.exists()


def test_verify_takes_the_path_of_a_file(run, model_file):
    code, told, _ = run("verify", model_file)
    assert code == 0
    assert told.startswith("tiny: whole, weights ")
    data = bytearray(model_file.read_bytes())
    data[-100] ^= 1
    model_file.write_bytes(data)
    code, _, error = run("verify", model_file)
    assert code == 2
    assert f"the weights in {model_file} differ from their checksum" in error


def test_show_tells_what_the_model_says(run, model_file):
    code, table, _ = run("show", model_file)
    rows = dict(line.split(maxsplit=1) for line in table.splitlines())
    assert code == 0
    assert rows["network"] == "unet, align_corners False, width 2"
    assert rows["mean_iou_percent"] == "81.25"
    assert rows["contact_error_percent"] == "undefined"
    assert rows["voxel"] == "10 µm"
    assert rows["licence"] == "Apache-2.0"


def test_show_as_json_tells_all(run, model_file):
    told = json.loads(run("show", model_file, "--json")[1])
    assert told["name"] == "tiny"
    assert told["provenance"]["recipe_name"] == "tiny"
    assert told["path"] == str(model_file)


def test_verify_names_the_damaged_model(run, model_file, folder):
    run("import", model_file)
    path = folder / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    code, _, error = run("verify")
    assert code == 2
    assert f"{path} is no model file or is damaged" in error


def test_an_unknown_model_is_an_input_error(run):
    code, _, error = run("show", "nothing")
    assert code == 2
    assert error.startswith("error: got the model 'nothing', wanted a file or one of: ")


@pytest.mark.parametrize("arguments", [["shwo"], ["--json", "show"], ["show"]])
def test_wrong_usage_ends_with_2(run, arguments, capsys):
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    assert end.value.code == 2
    assert "; see implantseg models" in capsys.readouterr().err


@pytest.mark.parametrize("deed", DEEDS)
def test_every_deed_explains_itself_with_examples(run, deed, capsys):
    with pytest.raises(SystemExit) as end:
        run(deed, "--help")
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert f"usage: implantseg models {deed}" in text
    assert f"  implantseg models {deed}" in text.split("examples:")[1]


def test_the_bundled_models_are_listed_first(run, model_file):
    run("import", model_file, "--name", "a_first_name")
    names = [entry["name"] for entry in json.loads(run("--json")[1])]
    assert names == [*registry.bundled(), "a_first_name"]
