"""A host program that misbehaves on request: what it does with a run is the run's function name."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import struct
import sys
import time

connection = socket.socket(fileno=int(os.environ["PARABOLA_HOST_FD"]))
with open(os.environ["PARABOLA_ACTIVITY"], "r+b") as file:
    activity = mmap.mmap(file.fileno(), 24)


def say(message: dict) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def busy(run_id: int, others: int = 0) -> None:
    struct.pack_into("<QQQ", activity, 0, run_id, time.monotonic_ns(), others)


def run(message: dict) -> None:
    name = message["path"].partition(":")[2]
    run_id = message["id"]
    if name == "echo":
        say({"type": "done", "id": run_id, "result": message["args"], "logs": [], "usage": {}})
    elif name == "litter":
        folder = os.path.join(os.environ["PARABOLA_FOLDER"], "made")
        os.mkdir(folder)
        with open(os.path.join(folder, "module.js"), "w"):
            pass
        say({"type": "done", "id": run_id, "result": folder, "logs": [], "usage": {}})
    elif name == "exit":
        busy(run_id)
        os._exit(3)
    elif name == "spin":
        busy(run_id)
        while True:
            pass
    elif name == "nap":
        busy(run_id)
        time.sleep(60)
    elif name == "killed":
        busy(run_id)
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "crowded":
        busy(run_id, others=message["args"])
        print("FATAL ERROR: Reached heap limit - JavaScript heap out of memory", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGABRT)
    elif name == "greedy":
        busy(run_id)
        kept = []
        while True:
            kept.append(bytearray(b"x") * 1_000_000)
    elif name == "aborted":
        busy(run_id)
        os.abort()
    elif name == "raw":
        connection.sendall(message["args"].replace("ID", str(run_id)).encode())
    elif name == "endless":
        connection.sendall(b'{"type":"done","id":%d,"result":"' % run_id)
        for _ in range(65):
            connection.sendall(b"x" * (1 << 20))
        connection.sendall(b'"}\n')
    elif name == "stalled":
        say({"type": "stalled", "id": run_id})
        time.sleep(60)
    elif name == "long":
        say({"type": "done", "id": run_id, "result": "x" * 3_000_000, "logs": [], "usage": {}})
    elif name == "vanish":
        os._exit(0)


say({"type": "ready", "protocol": 1, "language": "tiny", "pid": os.getpid(), "version": "1"})
buffer = b""
while True:
    data = connection.recv(1 << 20)
    if not data:
        sys.exit()
    *lines, buffer = (buffer + data).split(b"\n")
    for line in lines:
        message = json.loads(line)
        if message["type"] == "load":
            source = message["modules"][0]["source"] if message["modules"] else ""
            if source == "refuse":
                say(
                    {
                        "type": "loadFailed",
                        "error": {"message": "SyntaxError: no", "file": "convex/t.py", "line": 7},
                    }
                )
            elif source == "exit":
                print("something went wrong", file=sys.stderr, flush=True)
                os._exit(5)
            elif source != "silent":
                say({"type": "loaded", "deployment": message["deployment"]})
        elif message["type"] == "analyze":
            say(
                {
                    "type": "analysis",
                    "id": message["id"],
                    "result": {"phase": message["phase"], "pid": os.getpid()},
                }
            )
        elif message["type"] == "run":
            run(message)
        elif message["type"] == "shutdown":
            sys.exit()
