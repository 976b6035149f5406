import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.errors import InvalidId, UserError
from parabola.values.ids import (
    DocumentId,
    decode_id,
    encode_id,
    heads_of,
    is_valid_id,
    legacy_internal_id,
    new_internal_id,
)

COUNTING = bytes(range(16))
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
VECTORS = [
    ("kg27rxfv99gzp01wmph0gvt92d6hnvy6", 540, "7c75fb4a61fb003ca5a2086f49134d1a"),
    ("kg25efbgcywfzkr6h78cjw1pzx85r2ha", 540, "573d7067b8ffcf0689d0c97036ff505c"),
    ("k570e9j5cj1t5gf0zwf3tq3vkawxhqr0", 10009, "0726456483a2c1e0ff1e3d5c7b9ab9d8"),
    ("m57068j1c1zsxfewzcd3jp3qjttx99vg", 10017, "032241607f9ebddcfb1a39587796b5d4"),
    ("nx70paj9d23tdhf40ch42r3zktyxrddc", 10031, "0b2a496887a6c5e4032241607f9ebddc"),
    ("040020g30g2gc1r81450p30d1r7qke8", 1, COUNTING.hex()),
    ("j57000820c20a1g7104gm2rc1m70ynr8", 10001, COUNTING.hex()),
    ("g2002001081g81860w40j2gb1g6gw3vs74", 16384, COUNTING.hex()),
]
table_numbers = st.one_of(
    st.integers(1, 2**32 - 1),
    st.sampled_from([1, 127, 128, 16383, 16384, 2**21, 2**28 - 1, 2**28, 2**32 - 1]),
)
internal_ids = st.binary(min_size=16, max_size=16)


@pytest.mark.parametrize(("text", "table_number", "internal"), VECTORS)
def test_known_ids(text, table_number, internal):
    assert decode_id(text) == DocumentId(table_number, bytes.fromhex(internal))
    assert encode_id(table_number, bytes.fromhex(internal)) == text


@given(table_numbers, internal_ids)
def test_an_id_decodes_to_what_it_was_made_of(table_number, internal):
    text = encode_id(table_number, internal)
    assert decode_id(text) == (table_number, internal)
    size = 1 if table_number < 2**7 else 2 if table_number < 2**14 else 3 if table_number < 2**21 else 4
    size += table_number >= 2**28
    assert len(text) == {1: 31, 2: 32, 3: 34, 4: 36, 5: 37}[size]


@given(table_numbers | st.integers(10001, 10100), table_numbers | st.integers(10001, 10100), internal_ids)
def test_the_head_of_an_id_says_whether_it_is_of_a_table(number, other, internal):
    heads = heads_of(number)
    assert bool(heads) == (128 <= number < 16384)
    if heads:
        assert encode_id(number, internal)[:4] in heads
        assert (encode_id(other, internal)[:4] in heads) == (other == number)


@given(table_numbers, internal_ids, st.data())
def test_an_id_with_one_character_changed_is_refused(table_number, internal, data):
    text = encode_id(table_number, internal)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET if c != text[place]]))
    assert not is_valid_id(text[:place] + other + text[place + 1 :])


@given(st.text(ALPHABET, min_size=31, max_size=37))
def test_no_two_strings_are_the_same_id(text):
    if is_valid_id(text):
        assert encode_id(*decode_id(text)) == text


@given(st.text(max_size=40))
def test_any_other_string_is_refused(text):
    assert not is_valid_id(text) or encode_id(*decode_id(text)) == text


@given(st.binary(min_size=19, max_size=23))
def test_random_bytes_in_the_right_length_are_refused_or_canonical(raw):
    bits = int.from_bytes(raw, "big") << (-len(raw) * 8 % 5)
    length = -(-len(raw) * 8 // 5)
    text = "".join(ALPHABET[bits >> 5 * place & 31] for place in range(length - 1, -1, -1))
    assert not is_valid_id(text) or encode_id(*decode_id(text)) == text


@pytest.mark.parametrize(
    "text", ["kg27rxfv99gzp01wmph0gvt92d6hnvy6".upper(), "kg27rxfv99gzp01wmph0gvt92d6hnvyi"]
)
def test_upper_case_and_look_alikes_are_refused(text):
    with pytest.raises(InvalidId, match=r"^Unable to decode ID: ID wasn't valid base32$"):
        decode_id(text)


def test_bits_in_the_padding_are_refused():
    # 19 bytes are 152 bits, so three bits of the 31st character mean nothing and must be zero.
    text = "040020g30g2gc1r81450p30d1r7qke8"
    assert text[-1] == "8"
    assert is_valid_id(text)
    with pytest.raises(InvalidId, match="Invalid ID length 31"):
        decode_id(text[:-1] + "9")


def test_a_table_number_in_more_bytes_than_it_needs_is_refused():
    from parabola.values.ids import _checksum, _to_base32

    body = b"\x81\x00" + COUNTING
    text = _to_base32(body + _checksum(body).to_bytes(2, "little"))
    with pytest.raises(InvalidId, match="Invalid ID length 32"):
        decode_id(text)


@pytest.mark.parametrize("text", ["", "abc", "9" * 30, "9" * 38, "ä" * 20, "x" * 1_000_000])
def test_other_lengths_are_refused(text):
    with pytest.raises(InvalidId, match=f"^Unable to decode ID: Invalid ID length {len(text.encode())}$"):
        decode_id(text)


def test_table_number_zero_is_refused():
    with pytest.raises(InvalidId, match=r"^Unable to decode ID: Invalid table number$"):
        decode_id("0" * 31)
    with pytest.raises(ValueError, match="table number"):
        encode_id(0, COUNTING)
    with pytest.raises(ValueError, match="16 bytes"):
        encode_id(1, b"short")


def test_a_wrong_checksum_shows_as_a_version_and_can_be_caught_by_users():
    with pytest.raises(
        InvalidId, match=r"^Unable to decode ID: Invalid ID version \d+ \(expected \d+\)$"
    ) as info:
        decode_id("j57000820c20a1g7104gm2rc1m70ynrr")
    assert isinstance(info.value, UserError)
    assert info.value.status == 400


def test_ids_of_a_table_sort_as_their_internal_ids():
    internals = sorted(bytes([high, low]) + bytes(14) for high in (0, 7, 255) for low in (0, 128, 255))
    ids = [encode_id(10001, internal) for internal in internals]
    assert sorted(ids) == ids


def test_a_new_internal_id_ends_with_the_day():
    assert new_internal_id(b"r" * 14, 19738) == b"r" * 14 + bytes.fromhex("4d1a")
    with pytest.raises(ValueError, match="14 random bytes"):
        new_internal_id(b"r" * 16, 1)


def test_the_older_form_of_sixteen_bytes():
    assert legacy_internal_id("AAECAwQFBgcICQoLDA0ODw") == COUNTING
    assert legacy_internal_id("AAECAwQFBgcICQoLDA0ODx") is None  # bits in the padding
    assert legacy_internal_id("AAECAwQFBgcICQoLDA0O") is None
    assert legacy_internal_id("*") is None
    assert legacy_internal_id("a") is None


def test_the_oldest_form_of_seventeen_bytes():
    from hashlib import sha256

    raw = bytes(range(17))
    number = int.from_bytes(b"\x01" + raw, "big")
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit] + text
    assert len(text) > 22
    assert legacy_internal_id(text) == sha256(raw[:15]).digest()[:14] + raw[15:]
    assert legacy_internal_id(text[:-1] + "_") is None
    assert legacy_internal_id("z" * 24) is None
    assert legacy_internal_id("0" * 100) is None
