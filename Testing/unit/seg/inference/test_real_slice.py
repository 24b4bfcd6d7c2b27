"""The bundled model on a scan that nobody on this project made."""

import numpy as np

from ImplantSegLib import cli
from ImplantSegLib.volumes import FieldOfView, read


def test_synchrotron_slice_goes_through_segment(real_data, tmp_path):
    # titanium, which is brighter than bone, where the model knows magnesium, which is darker: what it finds is
    # wrong, and known to be; here it only has to end well
    scan = real_data / "goat_mandible_implant" / "implant.tiff"
    out = tmp_path / "labels.seg.nrrd"
    assert cli.main(["segment", str(scan), str(out), "--spacing-um", "10", "--progress", "none"]) == 0
    result = read(out)
    assert result.shape == (1, 512, 512)
    assert result.metadata["model"] == "compact_unet"
    inside = FieldOfView.of(result).slab_mask(slice(0, 1), result.shape)
    labels = result.array[:]
    assert not labels[~inside].any()
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
