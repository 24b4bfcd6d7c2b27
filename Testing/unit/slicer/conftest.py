"""The stand-in of Slicer, as new for every test, and without an error at the end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

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
    yield host
    host.process()
    errors = list(host.errors)
    host.reset()
    assert not errors, "\n".join(errors)
