import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.int64 import Int64
from values.value_strategies import int64s

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
integers = st.integers(SMALLEST, LARGEST)


def test_it_is_never_equal_to_a_python_number():
    assert Int64(1) == Int64(1)
    assert Int64(1) != 1
    assert Int64(1) != 1.0
    assert Int64(1) != True  # noqa: E712
    assert 1 not in {Int64(1)}
    assert len({Int64(1), Int64(1), 1}) == 2
    with pytest.raises(TypeError):
        Int64(1) < 2  # noqa: B015


def test_it_is_no_int_but_turns_into_one():
    assert not isinstance(Int64(3), int)
    assert int(Int64(3)) == 3
    assert Int64(3).value == 3
    assert float(Int64(3)) == 3.0
    assert "abcd"[Int64(3)] == "d"
    assert f"{Int64(255):x}" == "ff"
    assert str(Int64(3)) == "3"
    assert repr(Int64(3)) == "Int64(3)"
    assert not Int64(0)


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        Int64(1).value = 2
    with pytest.raises(AttributeError):
        del Int64(1).value
    assert pickle.loads(pickle.dumps(Int64(-5))) == Int64(-5)


@pytest.mark.parametrize("wrong", [1.0, "1", True, None, Int64(1)])
def test_it_is_made_of_ints_only(wrong):
    with pytest.raises(TypeError):
        Int64(wrong)


@pytest.mark.parametrize("outside", [LARGEST + 1, SMALLEST - 1])
def test_it_has_sixty_four_bits(outside):
    with pytest.raises(OverflowError):
        Int64(outside)
    with pytest.raises(OverflowError):
        Int64(LARGEST) + 1
    with pytest.raises(OverflowError):
        -Int64(SMALLEST)
    with pytest.raises(OverflowError):
        abs(Int64(SMALLEST))


def test_arithmetic_with_itself_and_with_ints():
    seven = Int64(7)
    assert seven + 1 == 1 + seven == Int64(8)
    assert seven - 10 == Int64(-3)
    assert 10 - seven == Int64(3)
    assert seven * Int64(2) == 2 * seven == Int64(14)
    assert seven // 2 == Int64(3)
    assert 15 // seven == Int64(2)
    assert seven % 4 == Int64(3)
    assert 10 % seven == Int64(3)
    assert +seven == abs(-seven) == seven
    for wrong in (1.5, "1", True):
        with pytest.raises(TypeError):
            seven + wrong


@given(int64s, int64s)
def test_it_orders_as_integers_do(a, b):
    assert (a < b) == (a.value < b.value)
    assert (a <= b) == (a.value <= b.value)
    assert (a > b) == (a.value > b.value)
    assert (a >= b) == (a.value >= b.value)
    assert (a == b) == (a.value == b.value)


@given(integers, integers)
def test_sums_are_sums_or_overflow(a, b):
    if SMALLEST <= a + b <= LARGEST:
        assert Int64(a) + Int64(b) == Int64(a + b)
    else:
        with pytest.raises(OverflowError):
            Int64(a) + Int64(b)
