import pytest

from ImplantSegLib.errors import ImplantSegError, InputError, MemoryLimitError


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
