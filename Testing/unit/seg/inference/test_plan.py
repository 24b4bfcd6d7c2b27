import numpy as np
import pytest

from ImplantSegLib.errors import MemoryLimitError
from ImplantSegLib.inference import plan
from ImplantSegLib.inference.plan import free_bytes, make_plan
from ImplantSegLib.volumes import Volume
from ImplantSegLib.volumes.voxels import Blank

GIB = 2**30


def scan(*shape):
    return Volume(Blank(shape, np.dtype(np.uint16)))


@pytest.mark.parametrize("budget", [1 * GIB, 3 * GIB, 16 * GIB])
def test_plan_stays_within_its_memory(budget):
    made = make_plan(scan(600, 1200, 1200), 1000, 1024, 128, budget)
    assert made.memory_bytes <= budget
    assert made.tile <= 1024
    slices = [z for slab in made.slabs(600) for z in range(600)[slab]]
    assert slices == list(range(600))


def test_full_size_scan_fits_into_16_gib():
    # a full-width U-Net on 2640 × 2640 × 1267, the paper's largest volume
    made = make_plan(scan(1267, 2640, 2640), 4000, 1024, 128, 16 * GIB)
    assert made.memory_bytes <= 16 * GIB
    assert made.depth >= 8


def test_windows_shrink_before_the_run_is_refused():
    shape = (50, 1000, 1000)
    roomy, tight = (make_plan(scan(*shape), 4000, 1024, 128, budget * GIB) for budget in (16, 2))
    assert roomy.tile == 1024
    assert tight.tile < 1024
    assert tight.overlap * 8 == tight.tile
    with pytest.raises(MemoryLimitError, match="needs at least"):
        make_plan(scan(*shape), 4000, 1024, 128, GIB // 2)


def test_small_scan_is_one_slab_of_whole_batches():
    made = make_plan(scan(7, 60, 60), 500, 1024, 128, 4 * GIB)
    assert made.depth == 7
    assert made.batch == 7
    assert made.slabs(7) == [slice(0, 7)]


def test_half_of_the_free_memory_is_the_default(monkeypatch):
    monkeypatch.setattr(plan, "free_bytes", lambda: 4 * GIB)
    assert make_plan(scan(600, 1200, 1200), 1000, 1024, 128).memory_bytes <= 2 * GIB


def test_free_memory_is_some():
    assert free_bytes() > 2**20
