"""What all tests share: the real data, the state between tests, and what happens where torch is absent."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from ImplantSegLib import progress

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"
NO_TORCH = "torch is not installed in this environment"

# the same examples on every run, and no time limit for one: machines that test are often busy
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")


class TorchMeansSkip:
    """Import hook: a test that comes to import torch is skipped, at collection or while it runs.

    It is put in place only where torch is absent, as on the Python of Slicer, so that tests need no
    marks to be sorted into those that need torch and those that do not.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "torch":
            pytest.skip(NO_TORCH, allow_module_level=True)


HAS_TORCH = importlib.util.find_spec("torch") is not None
if not HAS_TORCH:
    sys.meta_path.insert(0, TorchMeansSkip())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests that need torch in a child process, which the import hook cannot see."""
    if item.get_closest_marker("torch") and not HAS_TORCH:
        pytest.skip(NO_TORCH)


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    """Undo what a verb that runs inside a test sets up for its whole process: progress and logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    progress.configure("none")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def root() -> Path:
    """Root folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real scans; a test that asks for it is skipped where the folder is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real data folder, ../shared/data, is absent")
    return REAL_DATA
