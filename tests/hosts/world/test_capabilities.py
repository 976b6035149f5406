"""The network, files, processes and threads are refused inside queries and mutations, and only there."""

from __future__ import annotations

import pytest

from hosts.driver import HostProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTEMPTS = {
    "open('/etc/hosts')": "open('/etc/hosts')",
    "open('/tmp/parabola-never', 'w')": "open('/tmp/parabola-never')",
    "pathlib.Path('/etc/hosts').read_text()": "open('/etc/hosts')",
    "os.listdir('/')": "os.listdir('/')",
    "os.remove('/nonexistent')": "os.remove('/nonexistent')",
    "os.mkdir('/tmp/parabola-never')": "os.mkdir('/tmp/parabola-never')",
    "tempfile.mkdtemp()": "open('/tmp/",
    "sqlite3.connect(':memory:')": "sqlite3.connect(':memory:')",
    "socket.socket()": "sockets",
    "socket.getaddrinfo('localhost', 80)": "socket.getaddrinfo('localhost')",
    "urllib.request.urlopen('http://127.0.0.1:1/')": "urllib.request.urlopen('http://127.0.0.1:1/')",
    "http.client.HTTPConnection('127.0.0.1', 1).connect()": "http.client.connect()",
    "subprocess.run(['true'])": "subprocess.Popen(['true'])",
    "os.system('true')": "os.system(b'true')",
    "os.fork()": "os.fork()",
    "os.kill(os.getpid(), 0)": "os.kill()",
    "threading.Thread(target=print).start()": "threads",
    "concurrent.futures.ThreadPoolExecutor().submit(print)": "threads",
    "multiprocessing.Process(target=print).start()": "os.fork()",
    "input()": "input()",
    "os.stat('/etc/hosts')": "os.stat('/etc/hosts')",
    "os.path.exists('/etc/hosts')": "os.stat('/etc/hosts')",
    "pathlib.Path('/etc/hosts').is_file()": "os.stat(",
    "os.access('/etc/hosts', os.R_OK)": "os.access('/etc/hosts')",
    "signal.alarm(1)": "signal.alarm()",
    "signal.signal(signal.SIGPROF, signal.SIG_IGN)": "signal.signal()",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_it_is_refused_with_a_sentence_that_names_the_line(host: HostProcess, attempt: str) -> None:
    await host.serve(f"""
        import os, pathlib, tempfile, sqlite3, socket, subprocess, threading, concurrent.futures
        import http.client, multiprocessing, signal, urllib.request
        def helper():
            return {attempt}
        @query
        async def read(ctx: QueryCtx):
            return str(helper())
        @mutation
        def write(ctx: MutationCtx):
            return str(helper())
    """)
    for outcome in (await host.query("m.py:read"), await host.mutation("m.py:write")):
        assert outcome.error.startswith(f"Uncaught Error: Can't use {ATTEMPTS[attempt]}")
        assert outcome.error.endswith(
            " in queries and mutations. Please consider using an action. "
            "(File convex/m.py, line 5, in helper.)"
        )


async def test_modules_may_still_be_imported_inside_functions(host: HostProcess) -> None:
    await host.load(
        {
            "m.py": """
                from parabola import query
                @query
                async def late(ctx):
                    import colorsys, xml.dom.minidom, convex_helpers_that_do_not_exist
                @query
                async def stdlib(ctx):
                    import colorsys, xml.dom.minidom
                    from .other import answer
                    return answer
                @query
                async def zone(ctx):
                    from zoneinfo import ZoneInfo
                    from datetime import datetime
                    return datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Paris")).isoformat()
                @query
                async def trace(ctx):
                    import traceback
                    try:
                        import json
                        json.loads("x")
                    except ValueError:
                        return "raw_decode" in traceback.format_exc()
            """,
            "other.py": "answer = 42",
        }
    )
    assert (await host.query("m.py:stdlib")).result == 42.0
    assert "No module named 'convex_helpers_that_do_not_exist'" in (await host.query("m.py:late")).error
    assert (await host.query("m.py:zone")).result == "2024-07-01T00:00:00+02:00"
    assert (await host.query("m.py:trace")).result is True


async def test_actions_may_do_all_of_it(host: HostProcess) -> None:
    await host.serve("""
        import socket, subprocess, tempfile, threading
        @action
        async def act(ctx: ActionCtx):
            with tempfile.TemporaryFile() as file:
                file.write(b"x")
            done = threading.Event()
            threading.Thread(target=done.set).start()
            done.wait()
            socket.socketpair()[0].close()
            await asyncio.to_thread(done.wait)
            return subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout
    """)
    assert (await host.action("m.py:act")).result == "hi\n"
