import errno

import pytest

from ImplantSegLib.errors import ImplantSegError, InputError, MemoryLimitError, is_out_of_memory, size_text


def test_an_error_reads_as_one_sentence_with_its_remedy():
    assert str(InputError("got 2, wanted 3", "pass 3")) == "got 2, wanted 3; pass 3"
    assert str(InputError("got 2, wanted 3")) == "got 2, wanted 3"


@pytest.mark.parametrize(("kind", "name", "code"), [(InputError, "input", 2), (MemoryLimitError, "memory", 3)])
def test_kinds_and_exit_codes(kind: type[ImplantSegError], name: str, code: int):
    error = kind("message")
    assert (error.kind, error.exit_code) == (name, code)


def test_bad_input_is_a_value_error_for_users_of_the_library():
    with pytest.raises(ValueError, match="got 2"):
        raise InputError("got 2, wanted 3")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (340, "340 bytes"),
        (2**10, "1.0 KiB"),
        (39 * 2**10 + 100, "39 KiB"),
        (25 * 2**20, "25 MiB"),
        (1.5 * 2**30, "1.5 GiB"),
        (3 * 2**40, "3.0 TiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_they_fill(count: float, text: str):
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("shapes do not match"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_out_of_memory_has_many_names(error: Exception, is_memory: bool):
    assert is_out_of_memory(error) == is_memory
