import copy
import pickle

import pytest

from parabola.values.placeholders import COMMIT_TS, UNDEFINED, CommitTs, Undefined


@pytest.mark.parametrize(("placeholder", "cls"), [(UNDEFINED, Undefined), (COMMIT_TS, CommitTs)])
def test_there_is_only_one_of_each(placeholder, cls):
    assert cls() is placeholder
    assert copy.deepcopy(placeholder) is placeholder
    assert pickle.loads(pickle.dumps(placeholder)) is placeholder


def test_undefined_is_false_and_reads_as_such():
    assert not UNDEFINED
    assert repr(UNDEFINED) == "undefined"
    assert repr(COMMIT_TS) == "commitTs"
