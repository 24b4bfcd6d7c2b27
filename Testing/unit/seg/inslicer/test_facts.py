import pytest

from ImplantSegLib.inslicer import facts as told

GIB = 2**30


def package(name, state="ok", version="1.0", extra=""):
    return {"name": name, "wanted": ">=1.0", "extra": extra, "version": version, "state": state, "detail": ""}


def gpu(free=10 * GIB, total=12 * GIB):
    return {"name": "RTX 4070", "memory_free_bytes": free, "memory_total_bytes": total}


def facts(version="2.9.0+cpu", build="cpu", gpus=(), idle=False, packages=()):
    torch = {"version": version, "build": build, "gpu_usable": False, "cpu_bf16": []}
    own = [package("torch", "ok" if version else "missing", version)]
    packages = [*packages, *(own if "torch" not in [one["name"] for one in packages] else [])]
    return {"torch": torch, "gpus": list(gpus), "idle_gpu": idle, "packages": packages}


@pytest.mark.parametrize(
    ("told_facts", "line"),
    [
        (facts(None, None), "PyTorch is not installed; no GPU found"),
        (facts(None, None, packages=[package("torch", "broken")]), "PyTorch is damaged; no GPU found"),
        (facts(), "PyTorch 2.9.0+cpu, built for the CPU alone; no GPU found"),
        (facts("2.9.0", "cuda 12.8", [gpu()]), "PyTorch 2.9.0, built for cuda 12.8; RTX 4070, 10 GiB of 12 GiB free"),
        (facts("2.9.0", "mps", [gpu(None)]), "PyTorch 2.9.0, built for mps; RTX 4070"),
    ],
)
def test_the_device_in_one_line(told_facts, line):
    assert told.device_line(told_facts) == line


def test_a_gpu_is_idle_because_of_the_build_or_of_the_driver():
    assert told.idle_gpu(facts(gpus=[gpu()])) == ""
    assert "built for the CPU alone" in told.idle_gpu(facts(gpus=[gpu()], idle=True))
    assert "PyTorch Utils" in told.idle_gpu(facts(gpus=[gpu()], idle=True))
    assert "Update the driver" in told.idle_gpu(facts("2.9.0", "cuda 12.8", [gpu()], idle=True))


def test_what_hinders_every_run():
    lacking = facts(None, None, packages=[
        package("torch", "missing", None), package("edt", "missing", None), package("zarr", "old", "2.18"),
        package("numba", "broken"), package("tqdm"), package("monai", "missing", None, "train"),
    ])  # fmt: skip
    assert told.missing(lacking) == ["edt", "zarr"]
    assert told.damaged(lacking) == ["numba"]
    assert told.problems(lacking) == [
        "PyTorch is not installed; see the section Environment.",
        "Python packages are missing (edt, zarr); install them in the section Environment.",
        "Python packages are damaged (numba); in Slicer's Python console (Ctrl+3) run "
        "slicer.packaging.pip_install('--upgrade --force-reinstall --no-deps numba') and restart Slicer.",
    ]
    assert told.problems(facts(packages=[package("tqdm")])) == []
    assert told.problems(facts(packages=[package("torch", "old", "2.1")])) == [
        "PyTorch is too old; see the section Environment."
    ]


@pytest.mark.parametrize(
    ("told_package", "row"),
    [
        (package("tqdm"), ("tqdm", ">=1.0", "1.0", True)),
        (package("vtk", version=None), ("vtk", ">=1.0", "there", True)),
        (package("zarr", "old", "0.9"), ("zarr", ">=1.0", "old 0.9", False)),
        (package("edt", "missing", None), ("edt", ">=1.0", "missing", False)),
        (package("monai", "missing", None, "train"), ("monai (to train)", ">=1.0", "missing", True)),
    ],
)
def test_rows_of_the_table(told_package, row):
    assert told.rows(facts(packages=[told_package]))[0] == row
