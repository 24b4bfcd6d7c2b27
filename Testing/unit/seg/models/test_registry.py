from pathlib import Path

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.models import registry


@pytest.fixture
def bundled(tmp_path, monkeypatch, model_file):
    """One model that comes with ImplantSeg: the tiny one, under the name ``house``."""
    path = tmp_path / "house.safetensors"
    path.write_bytes(model_file.read_bytes())
    monkeypatch.setattr(registry, "bundled", lambda: {"house": path})
    return path


def test_an_imported_model_is_found_by_its_name_and_any_file_by_its_path(model_file, folder, monkeypatch):
    path = registry.import_model(model_file)
    assert path == folder / "tiny.safetensors"
    assert path.read_bytes() == model_file.read_bytes()
    assert registry.find("tiny") == path
    assert registry.find(model_file) == model_file
    monkeypatch.chdir(model_file.parent)
    assert registry.find("tiny.safetensors") == Path("tiny.safetensors")


def test_bundled_models_come_first_and_keep_their_names(bundled, model_file, folder):
    registry.import_model(model_file, "another")
    (folder / bundled.name).write_bytes(b"")
    (folder / ".partial-x.safetensors").write_bytes(b"")
    assert list(registry.installed()) == ["house", "another"]
    assert registry.find("house") == bundled


def test_a_bundled_model_is_neither_overwritten_nor_deleted(bundled, model_file, folder):
    with pytest.raises(InputError, match="'house' is the name of a model that comes with ImplantSeg"):
        registry.import_model(model_file, "house")
    with pytest.raises(InputError, match="'house' comes with ImplantSeg"):
        registry.delete("house")
    assert bundled.is_file()
    assert not folder.exists()


def test_an_unknown_model_is_told_with_the_nearest_name(bundled):
    with pytest.raises(InputError, match=r"got the model 'hose', wanted a file or one of: house; did you mean 'house'"):
        registry.find("hose")


def test_without_any_model_the_error_says_so(monkeypatch, folder):
    monkeypatch.setattr(registry, "bundled", dict)
    with pytest.raises(InputError, match="none, as no model is installed; correct the path"):
        registry.find("compact_unet")


def test_a_name_is_taken_once(model_file, folder):
    registry.import_model(model_file)
    with pytest.raises(InputError, match="already a model 'tiny'; pass another --name, or --replace"):
        registry.import_model(model_file)
    assert registry.import_model(model_file, replace=True) == folder / "tiny.safetensors"


@pytest.mark.parametrize("name", ["../tiny", "a/b", ".hidden", "-x", "a b"])
def test_a_name_is_no_path(model_file, folder, name):
    with pytest.raises(InputError, match="wanted letters, digits"):
        registry.import_model(model_file, name)


def test_a_damaged_model_is_not_imported(model_file, folder):
    data = bytearray(model_file.read_bytes())
    data[-100] ^= 1
    model_file.write_bytes(data)
    with pytest.raises(InputError, match="differ from their checksum"):
        registry.import_model(model_file)
    assert registry.installed().keys() == registry.bundled().keys()


def test_verify_gives_what_the_model_says(model_file, bundle):
    assert registry.verify(model_file).scores == bundle.scores


def test_export_into_a_folder_or_a_file(model_file, folder, tmp_path):
    registry.import_model(model_file)
    (tmp_path / "out").mkdir()
    assert registry.export("tiny", tmp_path / "out") == tmp_path / "out" / "tiny.safetensors"
    assert registry.export("tiny", tmp_path / "b.safetensors").read_bytes() == model_file.read_bytes()


def test_export_refuses_itself_and_other_suffixes(model_file, folder):
    path = registry.import_model(model_file)
    with pytest.raises(InputError, match="is the model itself"):
        registry.export("tiny", path.parent)
    with pytest.raises(InputError, match=r"wanted one that ends in .safetensors"):
        registry.export("tiny", "model.pt")


def test_an_imported_copy_of_a_read_only_file_can_be_deleted(model_file, folder):
    model_file.chmod(0o444)
    path = registry.import_model(model_file)
    assert path.stat().st_mode & 0o200
    assert registry.delete("tiny") == path
    assert not path.exists()
    with pytest.raises(InputError, match="got the model 'tiny', wanted one of: none"):
        registry.delete("tiny")


def test_delete_takes_names_only(model_file, folder):
    with pytest.raises(InputError, match="got the model"):
        registry.delete(str(model_file))
    assert model_file.exists()


@pytest.mark.parametrize(
    ("system", "variable", "below"),
    [
        ("Linux", "XDG_DATA_HOME", "implantseg/models"),
        ("Windows", "LOCALAPPDATA", "implantseg/models"),
    ],
)
def test_the_folder_without_a_variable_is_the_platforms(monkeypatch, tmp_path, system, variable, below):
    monkeypatch.delenv(registry.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert registry.folder() == tmp_path / below


def test_the_folder_on_a_mac(monkeypatch, tmp_path):
    monkeypatch.delenv(registry.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert registry.folder() == tmp_path / "Library" / "Application Support" / "implantseg" / "models"


def test_every_bundled_model_is_whole():
    for name, path in registry.bundled().items():
        assert registry.verify(path).name == name
        assert path.stat().st_size <= 6e6
