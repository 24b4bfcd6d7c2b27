"""GPUs as nvidia-smi and the driver's files tell of them; memory and cores."""

import stat
import sys

import pytest

from ImplantSegLib.environment import machine
from ImplantSegLib.environment.machine import Gpu

posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")


@pytest.fixture
def smi(monkeypatch, tmp_path):
    """Puts a program nvidia-smi on the PATH, alone there, and hides the driver of this machine."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(machine, "PROC_NVIDIA", tmp_path / "gpus")

    def install(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return install


@posix
def test_two_gpus_of_nvidia_smi(smi):
    smi("echo 'NVIDIA H200, 143771, 143000, 570.86, 9.0'; echo 'Tesla T4, 15360, 512, 570.86, 7.5'")
    assert machine.nvidia_gpus() == [
        Gpu("NVIDIA H200", 143771 * 2**20, 143000 * 2**20, "9.0", "570.86"),
        Gpu("Tesla T4", 15360 * 2**20, 512 * 2**20, "7.5", "570.86"),
    ]


@posix
def test_an_old_driver_that_knows_no_compute_capability(smi):
    smi("case $1 in *compute_cap*) echo 'not a valid field'; exit 2;; esac; echo 'Tesla K80, 11441, 11000, 470.82'")
    assert machine.nvidia_gpus() == [Gpu("Tesla K80", 11441 * 2**20, 11000 * 2**20, None, "470.82")]


@posix
def test_a_gpu_that_shares_the_memory_of_the_machine(smi):
    smi("echo 'Orin, [N/A], [N/A], 540.4, 8.7'")
    assert machine.nvidia_gpus() == [Gpu("Orin", None, None, "8.7", "540.4")]


@posix
@pytest.mark.parametrize("script", ["echo 'No devices were found'", "echo failed >&2; exit 9"])
def test_nvidia_smi_without_a_gpu(smi, script):
    smi(script)
    assert machine.nvidia_gpus() == []


@posix
def test_an_nvidia_smi_that_hangs_is_given_up(smi, monkeypatch):
    monkeypatch.setattr(machine, "_SMI_TIMEOUT_S", 0.2)
    smi("exec sleep 20")
    assert machine.nvidia_gpus() == []


def test_the_files_of_the_driver_name_the_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "PROC_NVIDIA", tmp_path)
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "information").write_text("Model: \t\t NVIDIA RTX A4000\nIRQ:   \t\t 57\n")
    assert machine.nvidia_gpus() == [Gpu("NVIDIA RTX A4000")]


def test_memory_is_plausible():
    total, free = machine.memory()
    assert machine.processor()
    if free is not None:
        assert 2**27 < free <= total
