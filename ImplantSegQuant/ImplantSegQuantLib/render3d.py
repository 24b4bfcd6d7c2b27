"""3D pictures of the segmented implant, rendered offscreen by VTK in a child process.

The child is ``python -m ImplantSegQuantLib.render3d COARSE.npz OUTDIR``: where GL libraries are missing, offscreen
VTK does not raise an error but ends the process, and that must not take the results with it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import ImplantSegError
from ImplantSegLib.labels import COLOURS, IMPLANT, Label
from ImplantSegQuantLib.views import Coarse

if TYPE_CHECKING:
    import vtk

Field = npt.NDArray[np.float32]

PACKAGES = ("libegl1", "libgl1-mesa-dri")
"""Debian packages that hold what offscreen VTK needs."""

SIZE_PIXELS = 1100
_log = logging.getLogger(__name__)

_TIMEOUT_S = 300
_NOTHING_TO_SEE = 4  # exit status of the child
_VIEW = np.asarray((-0.35, 0.9, -0.45))  # direction of sight in (x, y, z): from the front, a little from above
_METAL, _LAYER, _BONE = Label.RESIDUAL_MATERIAL, Label.DEGRADATION_LAYER, Label.BONE


class RenderError(ImplantSegError):
    """The 3D pictures could not be rendered; the remedy says how they can be."""

    kind = "render"


class Picture(NamedTuple):
    """A picture in parallel projection: pixels (H, W, 3) uint8, and the scale across the direction of sight."""

    pixels: npt.NDArray[np.uint8]
    mm_per_pixel: float


class Pictures(NamedTuple):
    """What is rendered: the implant alone, and with bone, where the layer and the bone are cut open along it."""

    implant: Picture
    section: Picture


def render(coarse: Coarse) -> Pictures:
    """Render the pictures in a child process.

    Raises
    ------
    RenderError
        When the child fails, most often because GL libraries are missing.
    """
    with tempfile.TemporaryDirectory(prefix="implantseg-render-") as folder:
        source, target = Path(folder, "coarse.npz"), Path(folder, "pictures.npz")
        fractions = {f"label_{label}": share for label, share in coarse.fractions.items()}
        np.savez(source, allow_pickle=False, block_mm=coarse.block_mm, centre_mm=coarse.centre_mm(), **fractions)
        _run_child([str(source), str(target)])
        with np.load(target) as pictures:
            return Pictures(*(Picture(pictures[name], float(pictures[f"{name}_scale"])) for name in Pictures._fields))


def _run_child(arguments: Sequence[str]) -> None:
    # the child must find the same packages, also where the parent's path was set by hand (Slicer)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "ImplantSegQuantLib.render3d", *arguments]
    try:
        child = subprocess.run(command, env=environment, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RenderError(
            f"the 3D pictures were not ready after {_TIMEOUT_S} s", "run on a machine with more free cores"
        ) from error
    if child.returncode:
        said = child.stderr.decode(errors="replace").strip()
        _log.info("%s", said)
        raise _failure(child.returncode, said)


def _failure(code: int, said: str) -> RenderError:
    """Tell a crash, as without GL libraries, from the other ways to fail."""
    if code == _NOTHING_TO_SEE:
        return RenderError(
            "there is nothing to render: no block of the reduced labels is mostly implant", "see the slices"
        )
    install = f"on Debian or Ubuntu, install what offscreen rendering needs: apt-get install {' '.join(PACKAGES)}"
    if code < 0 or code > 255:  # a signal, or an exception of Windows
        return RenderError(f"the 3D pictures could not be rendered: the renderer crashed (exit code {code})", install)
    reason = said.splitlines()[-1] if said else f"exit code {code}"
    missing = "cannot open shared object file" in reason
    return RenderError(
        f"the 3D pictures could not be rendered: {reason}", install if missing else "see the log of --verbose"
    )


def main(argv: Sequence[str]) -> int:
    """Render what ``argv[0]`` holds into ``argv[1]``: the child process."""
    source, target = argv
    with np.load(source) as data:
        block_mm, centre_mm = data["block_mm"], data["centre_mm"]
        fields = {label: _smooth(data[f"label_{label.value}"]) for label in (_METAL, _LAYER, _BONE)}
    opened = _half_space(fields[_BONE].shape, block_mm, centre_mm)
    cut = {label: np.minimum(field, opened) if label != _METAL else field for label, field in fields.items()}
    scenes = {label: fields[label] for label in IMPLANT}, cut
    arrays: dict[str, Any] = {}
    for name, scene in zip(Pictures._fields, scenes, strict=True):
        arrays[name], arrays[f"{name}_scale"] = picture = _picture(scene, block_mm)
        if np.ptp(picture.pixels) == 0:
            return _NOTHING_TO_SEE
    np.savez(target, allow_pickle=False, **arrays)
    return 0


def _smooth(share: npt.NDArray[np.uint8]) -> Field:
    """Share of a class in [0, 1], smooth enough for a surface at one half, with an empty border that closes it."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(share.astype(np.float32) / 255, 0.7, mode="nearest")
    return np.pad(field, 1)


def _half_space(shape: tuple[int, ...], block_mm: Any, centre_mm: Any) -> Field:
    """Field above one half behind the upright plane through the implant's centre that faces the viewer."""
    normal = np.asarray((0, _VIEW[1], _VIEW[0])) / np.hypot(_VIEW[0], _VIEW[1])  # (z, y, x)
    z, y, x = np.ogrid[tuple(map(slice, shape))]
    depth_mm = sum(
        ((index - 0.5) * step - middle) * part
        for index, step, middle, part in zip((z, y, x), block_mm, centre_mm, normal, strict=True)
    )
    field = np.clip(0.5 + depth_mm / max(block_mm), 0, 1).astype(np.float32)
    return np.broadcast_to(field, shape)


def _picture(scene: Mapping[Label, Field], block_mm: Any) -> Picture:
    import vtk

    renderer = vtk.vtkRenderer()
    renderer.SetBackground(1, 1, 1)
    for label, field in scene.items():
        renderer.AddActor(_actor(field, block_mm, COLOURS[label], specular=0.3 if label == _METAL else 0.05))
    kit = vtk.vtkLightKit()
    kit.SetKeyLightIntensity(0.95)
    kit.SetKeyToHeadRatio(1.8)  # a bright headlight: what is cut open faces the viewer
    kit.AddLightsToRenderer(renderer)
    width_mm, height_mm = _aim(renderer)
    mm_per_pixel = max(width_mm, height_mm) / SIZE_PIXELS
    size = int(width_mm / mm_per_pixel), int(height_mm / mm_per_pixel)
    return Picture(_cropped(_pixels(renderer, size)), mm_per_pixel)


def _aim(renderer: vtk.vtkRenderer) -> tuple[float, float]:
    """Point the camera at everything; give the width and height in mm that hold it."""
    bounds = np.sort(np.reshape(renderer.ComputeVisiblePropBounds(), (3, 2)), axis=1)  # of nothing: (1, -1)
    corners = np.stack(np.meshgrid(*bounds, indexing="ij"), axis=-1).reshape(8, 3)
    sight = _VIEW / np.linalg.norm(_VIEW)
    right = np.cross(sight, (0, 0, 1)) / np.linalg.norm(np.cross(sight, (0, 0, 1)))
    across = (corners - corners.mean(axis=0)) @ np.stack((right, np.cross(right, sight)), axis=1)
    width_mm, height_mm = 1.02 * np.ptp(across, axis=0)
    reach_mm = float(np.ptp(corners, axis=0).sum())
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(height_mm / 2)
    camera.SetFocalPoint(*corners.mean(axis=0))
    camera.SetPosition(*(corners.mean(axis=0) - reach_mm * sight))
    camera.SetViewUp(0, 0, 1)
    renderer.ResetCameraClippingRange()
    return float(width_mm), float(height_mm)


def _actor(field: Field, block_mm: Any, colour: tuple[float, float, float], specular: float) -> vtk.vtkActor:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(*field.shape[::-1])
    image.SetSpacing(*block_mm[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(field).ravel()))
    surface = vtk.vtkFlyingEdges3D()
    surface.SetInputData(image)
    surface.SetValue(0, 0.5)
    surface.ComputeNormalsOn()
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputConnection(surface.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetColor(*colour)
    look.SetDiffuse(0.88)
    look.SetSpecular(specular)
    look.SetSpecularPower(25)
    return actor


def _pixels(renderer: vtk.vtkRenderer, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(4)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)
    return pixels[::-1].copy()


def _cropped(pixels: npt.NDArray[np.uint8], margin: int = 12) -> npt.NDArray[np.uint8]:
    """Cut the white border off, but for a margin; a white picture stays as it is."""
    rows, columns = np.nonzero((pixels < 255).any(axis=2))
    if not rows.size:
        return pixels
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    return pixels[top : rows.max() + margin, left : columns.max() + margin]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
