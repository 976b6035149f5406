"""Several files read like one."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parabola.services.imports.parted_file import open_parts

operations = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 40)),
        st.tuples(st.just("seek"), st.integers(0, 80)),
        st.tuples(st.just("line"), st.just(0)),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=5), operations)
def test_it_reads_and_seeks_like_one_file(parts, operations):
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for number, part in enumerate(parts):
            path = Path(directory) / str(number)
            path.write_bytes(part)
            paths.append(path)
        whole = io.BytesIO(b"".join(parts))
        with open_parts(paths) as file:
            for operation, argument in operations:
                if operation == "read":
                    assert file.read(argument) == whole.read(argument)
                elif operation == "seek":
                    assert file.seek(argument) == whole.seek(argument)
                else:
                    assert file.readline() == whole.readline()
            assert file.seek(0, os.SEEK_END) == whole.seek(0, os.SEEK_END)


def test_there_is_nothing_before_the_beginning(tmp_path):
    (tmp_path / "part").write_bytes(b"abc")
    with open_parts([tmp_path / "part"]) as file:
        with pytest.raises(OSError, match="before the beginning"):
            file.seek(-4, os.SEEK_END)
        assert file.read() == b"abc"
