import json
import os
import signal
import sys
import time
import types

import pytest

from ImplantSegLib import __version__, cli, progress
from ImplantSegLib.errors import InputError, MemoryLimitError


class OutOfMemoryError(RuntimeError):
    """Stands for torch's error of the same name."""


@pytest.fixture
def run_raising(monkeypatch):
    """Run ``cli.main`` on a verb that raises what it is given."""

    def run(error: BaseException | None, mode: progress.Mode = "none") -> int:
        def verb(argv: list[str]) -> None:
            progress.configure(mode)
            if error is not None:
                raise error

        module = types.ModuleType("fake_verb")
        module.main = verb  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "fake_verb", module)
        monkeypatch.setitem(cli.VERBS, "fake", cli.Verb("fake_verb:main", "raises"))
        return cli.main(["fake"])

    return run


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_resolves_to_a_function(verb):
    assert callable(cli.resolve(verb))


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_explains_itself_with_examples(verb, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert f"usage: implantseg {verb}" in text
    assert f"  implantseg {verb}" in text.split("examples:")[1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (InputError("got a, wanted b", "pass b"), 2),
        (MemoryLimitError("too large"), 3),
        (MemoryError("9 GiB"), 3),
        (OutOfMemoryError("CUDA out of memory"), 3),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), 3),
        (ModuleNotFoundError("No module named 'monai'", name="monai.losses"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(run_raising, error, code):
    assert run_raising(error) == code


def test_an_error_is_one_sentence_for_people_and_one_line_for_programs(run_raising, capsys):
    run_raising(InputError("got a, wanted b", "pass b"), "json")
    line, sentence = capsys.readouterr().err.splitlines()
    assert json.loads(line) == {"event": "error", "kind": "input", "message": "got a, wanted b", "remedy": "pass b"}
    assert sentence == "error: got a, wanted b; pass b"


def test_an_interrupt_that_compiled_code_turned_into_another_error_is_a_cancellation(run_raising):
    error = SystemError("CPUDispatcher returned a result with an exception set")
    error.__cause__ = KeyboardInterrupt()
    assert run_raising(error) == 130


def test_a_package_that_is_not_installed_is_named(run_raising, capsys):
    run_raising(ModuleNotFoundError("No module named 'monai'", name="monai.losses"))
    assert "the package 'monai' is needed" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ModuleNotFoundError("none", name="ImplantSegLib.gone")])
def test_a_bug_keeps_its_traceback(run_raising, error):
    with pytest.raises(type(error)):
        run_raising(error)


def test_a_bug_is_told_to_programs_too(run_raising, capsys):
    with pytest.raises(ZeroDivisionError):
        run_raising(ZeroDivisionError("division by zero"), "json")
    told = json.loads(capsys.readouterr().err)
    assert (told["kind"], told["message"]) == ("bug", "ZeroDivisionError: division by zero")


def test_cancelling_is_told_to_programs(run_raising, capsys):
    run_raising(KeyboardInterrupt(), "json")
    assert json.loads(capsys.readouterr().err.splitlines()[0])["kind"] == "cancelled"


def test_without_a_verb_the_verbs_are_listed(capsys):
    assert cli.main([]) == 2
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in cli.VERBS)


def test_an_unknown_verb_names_the_known_ones(capsys):
    assert cli.main(["segmnet"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: got verb 'segmnet', wanted one of: demo, phantom")
    assert error.endswith("; did you mean 'segment'?\n")


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"implantseg {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM between processes")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_numba_is_done(monkeypatch, sign):
    left = []

    def compile_for_long() -> None:  # numba's own code by the name of its module
        os.kill(os.getpid(), sign)
        time.sleep(3 * cli.RETRY_S)
        left.append("numba")

    def verb(argv: list[str]) -> None:
        types.FunctionType(compile_for_long.__code__, numba_globals, closure=compile_for_long.__closure__)()
        time.sleep(5)

    numba_globals = {"__name__": "numba.core.compiler", "os": os, "time": time, "cli": cli}
    module = types.ModuleType("fake_verb")
    module.main = verb  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_verb", module)
    monkeypatch.setitem(cli.VERBS, "fake", cli.Verb("fake_verb:main", "compiles"))
    before = signal.getsignal(sign)
    assert cli.main(["fake"]) == 130
    assert left == ["numba"]
    assert signal.getsignal(sign) is before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM between processes")
def test_a_signal_that_meets_numba_every_time_ends_the_stage_once(monkeypatch):
    steps = []

    def verb(argv: list[str]) -> None:
        try:
            with progress.stage("kernels", total=100) as advance:
                for step in range(100):
                    steps.append(step)
                    os.kill(os.getpid(), signal.SIGTERM)
                    advance()
        finally:
            time.sleep(3 * cli.RETRY_S)  # cleaning up is not interrupted
            steps.append("clean")

    module = types.ModuleType("fake_verb")
    module.main = verb  # type: ignore[attr-defined]
    monkeypatch.setattr(cli, "_in_numba", lambda frame: True)
    monkeypatch.setitem(sys.modules, "fake_verb", module)
    monkeypatch.setitem(cli.VERBS, "fake", cli.Verb("fake_verb:main", "runs kernels"))
    assert cli.main(["fake"]) == 130
    assert steps == [0, "clean"]
