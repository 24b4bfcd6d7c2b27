from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess.refuse import refuse_labels
from ImplantSegLib.volumes import Volume, write

PATH = Path("a.nrrd")


def striped(*values, dtype=np.uint8):
    """A volume whose every slice holds all the values."""
    return Volume(np.broadcast_to(np.array(values, dtype), (20, 3, len(values))))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32])
def test_few_small_integers_are_labels(dtype):
    with pytest.raises(InputError, match="a.nrrd is a label volume with the values 0, 1, 3, 255, wanted a scan"):
        refuse_labels(striped(0, 1, 3, 255, dtype=np.uint8).like(striped(0, 1, 3, 255, dtype=dtype).array), PATH)


@pytest.mark.parametrize(
    "scan",
    [
        striped(*range(9)),  # more values than there are classes
        striped(0, 40000, dtype=np.uint16),  # a mask of the detector, or a scan without noise
        striped(-1, 1, dtype=np.int16),
        striped(0, 1, dtype=np.float32),
        striped(7),  # constant: refused with words of its own
    ],
)
def test_grey_values_are_a_scan(scan):
    refuse_labels(scan, PATH)


def test_a_file_that_says_so_is_believed_without_a_look():
    class Untouchable:
        shape, dtype = (2, 3, 4), np.dtype(np.uint8)

    refuse_labels(Volume(Untouchable()), PATH, look=False)
    with pytest.raises(InputError, match="a.nrrd is a label volume, wanted a scan"):
        refuse_labels(Volume(Untouchable(), metadata={"content": "labels"}), PATH)


def test_preprocess_refuses_labels(tmp_path, capsys):
    write(striped(0, 1, 2, 3), tmp_path / "labels.seg.nrrd")
    assert cli.main(["preprocess", str(tmp_path / "labels.seg.nrrd"), str(tmp_path / "out.nrrd")]) == 2
    assert "labels.seg.nrrd is a label volume" in capsys.readouterr().err
    assert not (tmp_path / "out.nrrd").exists()
