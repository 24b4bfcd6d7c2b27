import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.mesh_file import Surface, write_surface


def read(path):
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


@pytest.mark.parametrize("corners", [3, 4])
def test_what_is_written_is_read(tmp_path, corners):
    from vtkmodules.util.numpy_support import vtk_to_numpy

    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], np.float32)
    cells = np.arange(corners, dtype=np.int32)[None]
    surface = Surface(points, cells, {"distance_um": np.arange(4.0)}, {"contact": np.uint8([1])}, {"block_voxels": 2})
    write_surface(surface, tmp_path / "a.vtp")
    found = read(tmp_path / "a.vtp")
    np.testing.assert_array_equal(vtk_to_numpy(found.GetPoints().GetData()), points)
    np.testing.assert_array_equal(vtk_to_numpy(found.GetPolys().GetConnectivityArray()), cells[0])
    np.testing.assert_array_equal(vtk_to_numpy(found.GetPointData().GetArray("distance_um")), np.arange(4))
    assert found.GetCellData().GetArray("contact").GetTuple1(0) == 1
    assert found.GetFieldData().GetArray("block_voxels").GetTuple1(0) == 2
    assert found.GetFieldData().GetAbstractArray("SPACE").GetValue(0) == "LPS"
    assert [path.name for path in tmp_path.iterdir()] == ["a.vtp"]


def test_an_empty_surface_is_a_file(tmp_path):
    write_surface(Surface(np.empty((0, 3)), np.empty((0, 4), np.int32)), tmp_path / "none.vtp")
    assert read(tmp_path / "none.vtp").GetNumberOfCells() == 0


def test_another_format_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.stl, wanted a name that ends with \.vtp"):
        write_surface(Surface(np.empty((0, 3)), np.empty((0, 3), np.int32)), tmp_path / "a.stl")
