"""Words of documents and of queries (semantics 9.1)."""

from __future__ import annotations

from unicodedata import category, normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parabola.database.derived.text import tokens
from parabola.database.derived.text.tokens import query_words, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World! x_y don't co-op 3.14", "hello world x y don t co op 3 14"),
        ("हिन्दी में लिखा", "हिन्दी में लिखा"),
        ("Straße ﬁn ΣΊΣΥΦΟΣ", "straße ﬁn σίσυφοσ"),
        ("İstanbul", "i̇stanbul"),
        ("cafe\u0301", "café"),
        ("👍good👩‍👧night ❤️ 1️⃣", "good night 1"),
        ("東京都", "東 東京 京 京都 都"),
        ("ラーメン3杯", "ラ ラー ー ーメ メ メン ン 3 杯"),
        ("葛\U000e0100飾", "葛 葛飾 飾"),
        ("서울특별시 시청", "서울특별시 시청"),
        ("ที่ดี", "ที่ ที่ดี ดี"),
        ("Ⓐ ½ Ⅷ", "ⓐ ½ ⅷ"),
        ("", ""),
    ],
)
def test_a_text_has_these_words(text: str, found: str) -> None:
    assert words(text) == found.split()


def test_queries_use_pairs_alone_of_unspaced_scripts() -> None:
    assert query_words("東京都") == ["東京", "京都"]
    assert query_words("東") == ["東"]
    assert query_words("駅 東京abc") == ["駅", "東京", "abc"]


def test_a_query_has_sixteen_words_at_most() -> None:
    assert query_words(" ".join(map(str, range(20)))) == [str(n) for n in range(16)]
    assert len(query_words("é " * 20)) == 16


def test_a_word_has_thirty_one_bytes_at_most() -> None:
    assert words("a" * 31 + " " + "b" * 32) == ["a" * 31]
    assert words("é" * 15 + " " + "é" * 16) == ["é" * 15]
    # They are counted before capitals become small, and of an unspaced script for each pair.
    assert words("İ" * 15) == ["i̇" * 15]
    assert words("漢" * 3) == ["漢", "漢漢", "漢", "漢漢", "漢"]


SCRIPTS = st.text(
    st.one_of(
        st.sampled_from("aB9_'-  \u200d\ufe0f東京かナーｶไทยที่ກາမြန်ខ្មែរ한국हिन्दीİßﬁΣÅé́👍\u200d\ufe0f½Ⓐ²"),
        st.characters(codec="utf-8"),
    ),
    max_size=25,
)


@given(SCRIPTS)
@example("\ufe0f东")
@example("a\u0301東")
def test_words_are_letters_digits_and_marks_in_small_letters(text: str) -> None:
    for word in words(text):
        assert len(word) > 0
        assert not any(c.isspace() or c in "_'-👍\u200d\ufe0f" for c in word)
        assert not category(word[0]).startswith("M")
        assert "".join(map(str.lower, word)) == word
        assert normalize("NFC", word) == word or "i̇" in word or len(word) != len(normalize("NFC", word))


@given(SCRIPTS)
def test_a_text_is_found_by_itself_and_by_what_it_is_composed_of(text: str) -> None:
    assert set(query_words(text)) <= set(words(text))
    assert words(normalize("NFD", text)) == words(text)
    assert query_words(text) == query_words(normalize("NFD", text))


@given(st.text(st.characters(max_codepoint=127)))
def test_texts_in_ascii_are_cut_as_others_are(text: str) -> None:
    assert [*words(text), "é"] == words(text + " é")


@given(SCRIPTS, SCRIPTS)
def test_what_stands_beside_a_text_does_not_change_its_words(one: str, other: str) -> None:
    assert words(f"{one} {other}") == words(one) + words(other)


@given(SCRIPTS, st.integers(1, 12))
def test_of_a_long_text_to_search_for_no_more_is_looked_at_than_has_the_words_that_count(
    text: str, size: int
) -> None:
    text = text * 6
    whole = query_words(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_QUERY_LENGTH", size)
        assert query_words(text) == whole


def test_a_text_to_search_for_that_is_a_million_letters_costs_no_more_than_its_beginning() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "normalize", lambda form, text: (seen.append(len(text)), text)[1])
        seen: list[int] = []
        assert len(query_words("全文搜索引擎" * 200_000)) == 16
        assert seen == [1000]
