"""The same as `client.mjs` with the client of PyPI: `client.py URL NAME SEED`."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import Any

from convex import ConvexClient

KINDS = ("add", "add", "remove", "sum", "first", "count")


def say(**line: Any) -> None:
    with saying:
        sys.stdout.write(json.dumps({**line, "client": name}) + "\n")
        sys.stdout.flush()


def follow() -> None:
    for value in ConvexClient(url).subscribe("chaos:slots", {}):
        say(kind="seen", value=value, at=time.time() * 1000)


url, name, seed = sys.argv[1:]
saying = threading.Lock()
chance = random.Random(int(seed))
threading.Thread(target=follow, daemon=True).start()
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
        say(kind="failed", key=key, error=repr(error))
    else:
        say(kind="acknowledged", key=key, job=job, began=began, ended=time.time() * 1000)
say(kind="done")
while True:
    time.sleep(3600)  # it goes on following until it is killed
