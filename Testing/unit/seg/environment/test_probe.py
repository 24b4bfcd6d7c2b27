"""Packages that crash Python, hang or greet while they are imported."""

import json
import os
import sys

import pytest

from ImplantSegLib.environment import probe
from ImplantSegLib.environment.probe import Answer, imported


@pytest.fixture
def module(monkeypatch, tmp_path):
    """Makes a module of that name with that source."""
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name, source: (tmp_path / f"{name}.py").write_text(source)


@pytest.mark.skipif(sys.platform == "win32", reason="a process that crashes has no signal there")
def test_a_module_that_crashes_python_leaves_the_others_their_answers(module):
    module("crashing_one", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    module("whole_one", "__version__ = '1.2'")
    assert imported(["json", "crashing_one", "whole_one"]) == {
        "json": Answer(version=json.__version__),
        "crashing_one": Answer(error="Python ended by SIGSEGV while it was imported"),
        "whole_one": Answer(version="1.2"),
    }


def test_a_module_that_never_ends_is_given_up(module, monkeypatch):
    monkeypatch.setattr(probe, "TIMEOUT_S", 3)
    module("endless_one", "import time; time.sleep(60)")
    assert imported(["json", "endless_one"])["endless_one"].error == "no answer came within 3 s while it was imported"


def test_what_a_module_greets_is_no_answer(module, capfd):
    module("greeting_one", "import os; os.write(1, b'hello from C\\n'); print('hello')")
    assert imported(["greeting_one"]) == {"greeting_one": Answer()}
    assert capfd.readouterr().err.splitlines() == ["hello from C", "hello"]


def test_nothing_is_imported_here(module):
    module("heavy_one", "")
    assert imported(["heavy_one"]) == {"heavy_one": Answer()}
    assert "heavy_one" not in sys.modules


def test_nothing_asked_is_nothing_run(monkeypatch):
    monkeypatch.setattr(sys, "executable", os.devnull)
    assert imported([]) == {}
