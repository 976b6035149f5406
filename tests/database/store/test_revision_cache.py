"""The cache of revisions stays within its memory and keeps what is used."""

from __future__ import annotations

from parabola.database.model.documents import Revision
from parabola.database.store.revision_cache import RevisionCache


def revision(number: int, length: int = 20) -> Revision:
    return Revision(f"id{number}", number, b"x" * length, length, number)


def test_what_is_used_stays_and_the_rest_goes() -> None:
    cache = RevisionCache(100 * 500)
    for number in range(1000):
        cache.add(number, revision(number))
        assert cache.get(0) is not None
    held = [number for number in range(1000) if number in cache._young or number in cache._old]
    assert held[0] == 0
    assert 999 in held
    assert 40 < len(held) <= 102


def test_a_huge_document_does_not_push_out_the_others() -> None:
    cache = RevisionCache(100_000)
    cache.add(1, revision(1))
    cache.add(2, revision(2, 50_000))
    assert cache.get(2) is None
    assert cache.get(1) is not None


def test_revisions_that_were_never_committed_are_forgotten() -> None:
    cache = RevisionCache(100_000)
    for number in range(10):
        cache.add(number, revision(number))
    cache.forget_from(7)
    assert [number for number in range(10) if cache.get(number)] == list(range(7))


def test_what_was_not_used_in_an_age_is_forgotten_with_the_next() -> None:
    cache = RevisionCache(100_000)
    for number in range(10):
        cache.add(number, revision(number))
    assert cache.begin_age() == {}
    assert cache.get(3) is not None
    assert set(cache.begin_age()) == set(range(10))
    assert [number for number in range(10) if cache.get(number)] == [3]
    for _ in range(2):
        cache.begin_age()
    assert len(cache) == 0
