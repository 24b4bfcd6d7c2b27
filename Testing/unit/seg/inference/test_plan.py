import numpy as np
import pytest

from ImplantSegLib.errors import MemoryLimitError
from ImplantSegLib.inference import plan
from ImplantSegLib.inference.plan import HALO, free_bytes, make_plan
from ImplantSegLib.volumes import Volume
from ImplantSegLib.volumes.voxels import Blank

GIB = 2**30


def scan(*shape):
    return Volume(Blank(shape, np.dtype(np.uint16)))


@pytest.mark.parametrize("axes", [1, 3])
@pytest.mark.parametrize("budget", [3 * GIB, 6 * GIB, 16 * GIB])
def test_plan_stays_within_its_memory(budget, axes):
    made = make_plan(scan(600, 1200, 1200), 1000, 1024, 128, axes, budget)
    assert made.memory_bytes <= budget
    assert made.tile <= 1024
    assert made.halo == (HALO if axes == 3 else 0)
    slabs = list(made.slabs((600, 1200, 1200)))
    assert sum(slab.write[0].stop - slab.write[0].start for slab in slabs) == 600


def test_full_size_scan_fits_into_16_gib():
    # a full-width U-Net on 2640 × 2640 × 1267, the paper's largest volume
    made = make_plan(scan(1267, 2640, 2640), 4000, 1024, 128, 1, 16 * GIB)
    assert made.memory_bytes <= 16 * GIB
    assert made.depth >= 8


def test_windows_shrink_before_the_run_is_refused():
    shape = (50, 1000, 1000)
    roomy, tight = (make_plan(scan(*shape), 4000, 1024, 128, 1, budget * GIB) for budget in (16, 2))
    assert roomy.tile == 1024
    assert tight.tile < 1024
    assert tight.overlap * 8 == tight.tile
    with pytest.raises(MemoryLimitError, match="needs at least"):
        make_plan(scan(*shape), 4000, 1024, 128, 1, GIB // 2)


def test_small_scan_is_one_slab_of_whole_batches():
    made = make_plan(scan(7, 60, 60), 500, 1024, 128, 1, 4 * GIB)
    assert made.depth == 7
    assert made.batch == 7
    assert len(list(made.slabs((7, 60, 60)))) == 1


def test_half_of_the_free_memory_is_the_default(monkeypatch):
    monkeypatch.setattr(plan, "free_bytes", lambda: 4 * GIB)
    assert make_plan(scan(600, 1200, 1200), 1000, 1024, 128, 1).memory_bytes <= 2 * GIB


def test_free_memory_is_some():
    assert free_bytes() > 2**20
