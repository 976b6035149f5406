"""Words of documents and of queries (semantics 9.1)."""

from __future__ import annotations

import pytest

from parabola.database.derived.tokens import query_words, words


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
        ("a" * 31 + " " + "b" * 32, "a" * 31),
        ("é" * 15 + " " + "é" * 16, "é" * 15),
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
