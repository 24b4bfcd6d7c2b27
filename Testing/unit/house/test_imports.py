"""What an import costs, and that no part of the house stands outside the import contracts."""

import json
import subprocess
import sys
import tomllib

import pytest

HEAVY = {
    "SimpleITK", "cattrs", "cc3d", "edt", "jinja2", "lightning_fabric", "matplotlib", "monai", "nrrd", "numba",
    "safetensors", "scipy", "skimage", "tifffile", "torch", "tqdm", "vtk", "vtkmodules", "zarr",
}  # fmt: skip

LIST_MODULES = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def imported_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\n{LIST_MODULES}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import ImplantSegLib",
        "import ImplantSegQuantLib",
        "import ImplantSegLib.cli",
        "import ImplantSegLib.inslicer.worker",
        "from ImplantSegLib.volumes import Volume",
        "from ImplantSegLib import cli; cli.usage()",
    ],
)
def test_importing_loads_numpy_at_most(statement):
    assert imported_by(statement) & HEAVY == set()


def test_every_part_of_the_house_has_its_place_in_the_layers(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {name.strip("() ") for layer in layers for name in layer.split("|")}
    library = root / "ImplantSeg" / "ImplantSegLib"
    parts = {
        f"ImplantSegLib.{path.stem}"
        for path in library.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert parts - placed == {"ImplantSegLib.__init__", "ImplantSegLib.__main__"}


def test_python_dash_m_is_the_same_program():
    answer = subprocess.run(
        [sys.executable, "-m", "ImplantSegLib", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("implantseg ")
