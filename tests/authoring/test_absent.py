"""What is said of attributes that do not exist."""

import pytest

from parabola.authoring.absent import absent, snake_case


class Owner:
    def run_query(self): ...
    def not_(self): ...
    def _hidden(self): ...


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("runQuery", "`ctx` has no attribute 'runQuery'. In Python it is `run_query`."),
        ("not", "`ctx` has no attribute 'not'. In Python it is `not_`."),
        ("run_qury", "`ctx` has no attribute 'run_qury'. Did you mean `run_query`?"),
        ("zzz", "`ctx` has no attribute 'zzz'. There is `not_`, `run_query`."),
        ("_hid", "_hid"),
    ],
)
def test_a_name_is_answered_with_the_one_that_was_meant(name, text):
    assert str(absent(Owner(), "ctx", name)) == text


def test_camel_case_is_read():
    assert snake_case("withSearchIndex") == "with_search_index"
