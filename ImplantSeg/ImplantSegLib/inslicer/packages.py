"""Installation of what is missing into Slicer's own Python, which runs the commands too; only when a user asks."""

from __future__ import annotations

from subprocess import CalledProcessError

from ImplantSegLib.environment.packages import FROM_SLICER, REQUIREMENTS
from ImplantSegLib.errors import InputError

REQUESTER = "ImplantSeg"

NEVER_BY_PIP = [requirement.partition(">=")[0] for requirement in FROM_SLICER]
"""Packages that come with Slicer or its extension PyTorch: another build of them would break other modules."""

TORCH_WANTED = next(requirement.removeprefix("torch") for requirement in FROM_SLICER if requirement.startswith("torch"))


def install_packages() -> bool:
    """Install the packages that are missing, after asking the user.

    Returns
    -------
    bool
        Whether all is there now; False when the user declined.

    Raises
    ------
    InputError
        When pip failed.
    """
    import slicer.packaging

    wanted = slicer.packaging.load_requirements(REQUIREMENTS)
    try:
        slicer.packaging.pip_ensure(wanted, skip_packages=NEVER_BY_PIP, requester=REQUESTER)
    except CalledProcessError as error:
        raise InputError(
            f"pip ended with exit code {error.returncode}",
            "read what it says in the Python console (Ctrl+3); without internet it cannot work",
        ) from error
    except RuntimeError as error:
        if "declined" in str(error):
            return False
        raise
    return slicer.packaging.pip_check(wanted)


def install_torch() -> bool:
    """Install PyTorch with Slicer's extension for it, which finds the build for the GPU; asks the user.

    Returns
    -------
    bool
        Whether it is there now; False when the user declined.

    Raises
    ------
    InputError
        When the extension is missing, or could not install it.
    """
    try:
        import PyTorchUtils
    except ImportError as error:
        raise InputError(
            "PyTorch is installed by the extension PyTorch of Slicer, which is missing",
            "install it: View > Extensions Manager > Install Extensions, search for PyTorch, and restart Slicer",
        ) from error
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_WANTED
        )
    except CalledProcessError as error:
        raise InputError(
            f"the extension PyTorch could not install PyTorch (exit code {error.returncode})",
            "open its module PyTorch Utils and choose another computation backend",
        ) from error
    return torch is not None
