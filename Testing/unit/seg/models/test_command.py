import json

import pytest

from ImplantSegLib import cli
from ImplantSegLib.models import registry
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
    assert listed.splitlines()[0].split() == ["name", "network", "voxel", "size", "from", "summary"]
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
    expected = {"name": "tiny", "from": "import", "network": "unet", "spacing_mm": [0.01, 0.01, 0.01], "problem": None}
    for arguments in (["--json"], ["list", "--json"], ["list", "--progress", "none", "--json"]):
        last = json.loads(run(*arguments)[1])[-1]
        assert {key: last[key] for key in expected} == expected
        assert last["path"] == str(folder / "tiny.safetensors")


def test_a_damaged_model_is_listed_with_its_problem_and_can_be_deleted(run, folder):
    folder.mkdir()
    (folder / "broken.safetensors").write_bytes(b"no model")
    code, listed, _ = run()
    assert code == 0
    assert "is no model file or is damaged" in listed
    assert json.loads(run("--json")[1])[-1]["problem"]
    assert run("delete", "broken")[0] == 0


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
