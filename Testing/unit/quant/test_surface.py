import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.surface import scan_of


@pytest.mark.parametrize(("voxels", "words"), [(0, "no implant"), (1, "too small to be located"), (None, "no surface")])
def test_an_implant_that_cannot_be_located_is_refused(voxels, words):
    labels = np.zeros((20, 30, 30), np.uint8)
    labels.reshape(-1)[:voxels] = 1
    with pytest.raises(InputError, match=words):
        scan_of(Volume(labels, (0.05,) * 3), FieldOfView())
