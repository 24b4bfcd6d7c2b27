import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.tiling import padded_length, partition, ramp, windows

sizes = st.lists(st.integers(0, 12), min_size=1, max_size=3)


@st.composite
def partitions(draw):
    shape = draw(sizes)
    size = [draw(st.integers(1, 7)) for _ in shape]
    halo = [draw(st.integers(0, 5)) for _ in shape]
    return shape, size, halo


@st.composite
def coverings(draw):
    shape = [draw(st.integers(1, 60)) for _ in range(2)]
    size = [draw(st.integers(1, 40)) for _ in shape]
    overlap = [draw(st.integers(0, window - 1)) for window in size]
    return shape, size, overlap


@given(partitions())
def test_partition_writes_every_voxel_exactly_once(case):
    shape, size, halo = case
    written = np.zeros(shape, int)
    for tile in partition(shape, size, halo):
        written[tile.write] += 1
    assert (written == 1).all()


@given(partitions())
def test_partition_keeps_of_what_it_reads_what_it_writes(case):
    shape, size, halo = case
    voxels = np.arange(np.prod(shape)).reshape(shape)
    for tile in partition(shape, size, halo):
        np.testing.assert_array_equal(voxels[tile.read][tile.keep], voxels[tile.write])


@given(partitions())
def test_partition_reads_the_halo_as_far_as_the_array_goes(case):
    shape, size, halo = case
    for tile in partition(shape, size, halo):
        for read, write, margin, length in zip(tile.read, tile.write, halo, shape, strict=True):
            assert read.start == max(write.start - margin, 0)
            assert read.stop == min(write.stop + margin, length)


@given(coverings())
def test_windows_are_equal_and_lie_inside(case):
    shape, size, overlap = case
    for region in windows(shape, size, overlap):
        for part, length, window in zip(region, shape, size, strict=True):
            assert 0 <= part.start <= part.stop <= length
            assert part.stop - part.start == min(window, length)


@given(coverings())
def test_weights_of_all_windows_sum_to_one_after_division(case):
    shape, size, overlap = case
    total = np.zeros(shape, int)
    regions = windows(shape, size, overlap)
    for region in regions:
        total[region] += np.outer(*(ramp(part.stop - part.start, o) for part, o in zip(region, overlap, strict=True)))
    assert total.min() > 0
    assert len({tuple((part.start, part.stop) for part in region) for region in regions}) == len(regions)


@given(st.integers(2, 60), st.integers(2, 40), st.data())
def test_neighbours_share_the_overlap_and_no_window_is_too_many(length, window, data):
    overlap = data.draw(st.integers(0, window - 1))
    starts = [region[0].start for region in windows((length,), (window,), (overlap,))]
    assert all(after - before <= window - overlap for before, after in itertools.pairwise(starts))
    assert len(starts) == 1 + max(0, -(-(length - window) // (window - overlap)))


def test_ramp_rises_over_the_overlap_and_falls_back():
    assert ramp(7, 2).tolist() == [1, 2, 3, 3, 3, 2, 1]
    assert ramp(3, 0).tolist() == [1, 1, 1]


@given(st.integers(1, 500), st.integers(1, 64))
def test_padded_length_is_the_next_multiple(length, multiple):
    padded = padded_length(length, multiple)
    assert padded % multiple == 0
    assert length <= padded < length + multiple


def test_impossible_cuts_are_refused():
    with pytest.raises(InputError, match="got overlap 8 for windows of 8"):
        windows((20,), (8,), (8,))
    with pytest.raises(InputError, match="got size"):
        list(partition((5,), (0,), (0,)))
