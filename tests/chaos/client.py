"""The same as `client.mjs` with the client of PyPI: `client.py URL NAME SEED`.

What follows the query is another process, `client.py URL NAME follow`: that client holds the lock of the
interpreter while it waits.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from typing import Any

from convex import ConvexClient

KINDS = ("add", "add", "remove", "sum", "first", "count")


def say(**line: Any) -> None:
    os.write(1, json.dumps({**line, "client": name}).encode() + b"\n")  # whole, for two processes write here


def follow() -> None:
    for value in ConvexClient(url).subscribe("chaos:slots", {}):
        say(kind="seen", value=value, at=time.time() * 1000)


url, name, seed = sys.argv[1:]
if seed == "follow":
    follow()
chance = random.Random(int(seed))
subprocess.Popen([sys.executable, __file__, url, name, "follow"], stdin=subprocess.DEVNULL)
stopped = threading.Event()


def wait_for_the_end() -> None:
    sys.stdin.readline()
    stopped.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()
client = ConvexClient(url)
at = 0
while not stopped.is_set():
    key = f"{name}.{at}"
    at += 1
    steps = [[chance.choice(KINDS), chance.randrange(4)] for _ in range(chance.randint(1, 3))]
    job = chance.randrange(4) == 0
    began = time.time() * 1000
    say(kind="began", key=key)
    try:
        client.mutation("chaos:run_once", {"key": key, "program": json.dumps(steps), "job": job})
    except Exception as error:
        if "channel closed" in str(error):
            client = ConvexClient(url)  # it has given itself up, and nobody knows what became of the mutation
        else:
            say(kind="failed", key=key, error=repr(error))
    else:
        say(kind="acknowledged", key=key, job=job, began=began, ended=time.time() * 1000)
say(kind="done")
while True:
    time.sleep(3600)  # it goes on following until it is killed
