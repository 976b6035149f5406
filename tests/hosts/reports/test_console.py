"""What functions print and log, and how much of it is kept."""

from __future__ import annotations

import pytest

from hosts.driver import HostProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("kind", ["query", "action"])
async def test_print_and_logging_become_lines_in_order(host: HostProcess, kind: str) -> None:
    await host.serve(f"""
        import logging, sys
        log = logging.getLogger(__name__)
        @{kind}
        async def talk(ctx):
            print("hi", 1, {{"a": None}}, sep="|")
            print("two\\nlines")
            print()
            print("err", file=sys.stderr)
            log.debug("d %s", 1)
            logging.info("i")
            log.warning("w")
            log.error("e")
            sys.stdout.write("raw ")
            sys.stdout.write("line\\nrest")
    """)
    outcome = await host.run("m.py:talk", {}, kind)
    assert outcome.logs == [
        "[LOG] hi|1|{'a': None}",
        "[LOG] two\nlines",
        "[LOG] ",
        "[ERROR] err",
        "[DEBUG] d 1",
        "[INFO] i",
        "[WARN] w",
        "[ERROR] e",
        "[LOG] raw line",
        "[LOG] rest",
    ]
    assert outcome.lines[0]["timestamp"] > 1.75e12, "the wall clock, also where the clock stands still"
    assert outcome.lines[0]["isTruncated"] is False


async def test_lines_of_a_failed_function_are_kept_and_logged_exceptions_have_their_traceback(
    host: HostProcess,
) -> None:
    await host.serve("""
        import logging
        @query
        async def fail(ctx):
            try:
                1 / 0
            except ZeroDivisionError:
                logging.exception("oh")
            print("so far")
            raise ValueError
    """)
    outcome = await host.query("m.py:fail")
    assert outcome.error == "Uncaught ValueError"
    first, second = outcome.logs
    assert first.startswith("[ERROR] oh\nTraceback (most recent call last):")
    assert '  File "convex/m.py", line 6, in fail\n    1 / 0' in first
    assert second == "[LOG] so far"


async def test_there_are_at_most_256_lines_of_at_most_32768_bytes(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def flood(ctx):
            for n in range(1000):
                print(n)
        @query
        async def wide(ctx):
            print("é" * 20000)
            print("x" * 32768)
    """)
    flood = await host.query("m.py:flood")
    assert len(flood.logs) == 256
    assert flood.logs[254:] == [
        "[LOG] 254",
        "[ERROR] Log overflow (maximum 256). Remaining log lines omitted.",
    ]
    cut, whole = (await host.query("m.py:wide")).lines
    assert (len(cut["messages"][0].encode()), cut["isTruncated"]) == (32768, True)
    assert (len(whole["messages"][0]), whole["isTruncated"]) == (32768, False)
