"""The stand-in of Slicer, as new for every test, and without an error at the end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

LIBRARIES = ("ImplantSegLib", "ImplantSegQuantLib")

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


@pytest.fixture
def host() -> Iterator[ModuleType]:
    """The started host; a test that leaves something in ``host.errors`` fails."""
    import host

    missing = host.missing()
    if missing:
        pytest.skip(missing)
    host.start()
    host.reset()
    before = libraries()
    yield host
    host.process()
    errors = list(host.errors)
    host.reset()
    bring_back(before)
    assert not errors, "\n".join(errors)


def libraries() -> dict[str, ModuleType]:
    """Modules of our libraries that are imported."""
    return {name: found for name, found in sys.modules.items() if name.partition(".")[0] in LIBRARIES}


def bring_back(before: dict[str, ModuleType]) -> None:
    """Undo the import of the libraries anew, which a reload of a module does: other tests hold classes of the first."""
    if any(sys.modules.get(name) is not found for name, found in before.items()):
        for name in libraries():
            del sys.modules[name]
        sys.modules.update(before)
