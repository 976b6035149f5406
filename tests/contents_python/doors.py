"""Every way by which something leaves a function: each fails where this kind of function has not got it."""

import asyncio
import logging
import os
import sys
import warnings

from parabola import Blob, ConvexError, env

from .hostile import CONTENTS, Misshapen, Odd, Slow, hostile, unreadable


def content_of(content, value):
    """A named content, or the value that the test made; `{"units": [...]}` is any text in UTF-16."""
    if content is not None:
        return CONTENTS[content]()
    if isinstance(value, dict) and "units" in value:
        return "".join(map(chr, map(int, value["units"])))
    return value


def throw(error):
    raise error


def bare_convex_error(data):
    error = ConvexError("x")
    error.data = data
    return error


def named(name):
    made = type("Named", (Exception,), {})
    made.__name__ = name
    return made("x")


def ring(data):
    error = ValueError(data)
    error.__context__ = error.__cause__ = error
    return error


async def stray(data):
    asyncio.get_running_loop().create_task(_fail(ValueError(data)))
    await asyncio.sleep(0)


async def leaves(data):
    asyncio.get_running_loop().create_task(_fail(SystemExit(data)))
    await asyncio.sleep(0)


async def _fail(error):
    raise error


async def caught(ctx, it):
    """A loop of calls that are refused before they are sent."""
    for _ in range(300):
        try:
            await ctx.db.get(it)
        except Exception:
            continue


async def gathered(ctx, it):
    calls = [ctx.db.get(it), ctx.db.query("t").collect(), ctx.db.get(it)]
    return [str(type(each)) for each in await asyncio.gather(*calls, return_exceptions=True)]


DOORS = {
    "value": lambda ctx, it: it,
    "within": lambda ctx, it: {"a": [it]},
    "log": lambda ctx, it: print(it, "beside"),
    "logEnd": lambda ctx, it: print("x", end=it, sep=it),
    "errorLog": lambda ctx, it: print(it, file=sys.stderr),
    "written": lambda ctx, it: sys.stdout.write(it) and None,
    "logging": lambda ctx, it: logging.warning(it),
    "loggingArgument": lambda ctx, it: logging.error("%s %d", it, it),
    "warning": lambda ctx, it: warnings.warn(it, stacklevel=1),
    "error": lambda ctx, it: throw(Exception(it)),
    "errorName": lambda ctx, it: throw(named(it)),
    "thrown": lambda ctx, it: throw(it),
    "unreadable": lambda ctx, it: throw(unreadable(it)),
    "unreadableBase": lambda ctx, it: throw(unreadable(it, BaseException)),
    "misshapen": lambda ctx, it: throw(Misshapen(it)),
    "odd": lambda ctx, it: throw(Odd(it)),
    "slow": lambda ctx, it: throw(Slow(it)),
    "exit": lambda ctx, it: sys.exit(it),
    "interrupt": lambda ctx, it: throw(KeyboardInterrupt(it)),
    "generatorExit": lambda ctx, it: throw(GeneratorExit(it)),
    "stop": lambda ctx, it: throw(StopIteration(it)),
    "stopAsync": lambda ctx, it: throw(StopAsyncIteration(it)),
    "cancelled": lambda ctx, it: throw(asyncio.CancelledError(it)),
    "memory": lambda ctx, it: throw(MemoryError(it)),
    "group": lambda ctx, it: throw(ExceptionGroup("g", [ValueError(it), hostile(ValueError)(it)])),
    "ring": lambda ctx, it: throw(ring(it)),
    "stray": lambda ctx, it: stray(it),
    "leaves": lambda ctx, it: leaves(it),
    "data": lambda ctx, it: throw(ConvexError(it)),
    "dataMessage": lambda ctx, it: throw(ConvexError(1, it)),
    "bareData": lambda ctx, it: throw(bare_convex_error(it)),
    "table": lambda ctx, it: ctx.db.insert(it, {}),
    "readTable": lambda ctx, it: ctx.db.query(it).collect(),
    "insert": lambda ctx, it: ctx.db.insert("t", {"it": it}),
    "patch": lambda ctx, it: ctx.db.patch("id", {"it": it}),
    "id": lambda ctx, it: ctx.db.get(it),
    "caught": caught,
    "gathered": gathered,
    "index": lambda ctx, it: ctx.db.query("t").with_index(it).collect(),
    "indexValue": lambda ctx, it: ctx.db.query("t").with_index("i", lambda q: q.eq("a", it)).collect(),
    "indexField": lambda ctx, it: ctx.db.query("t").with_index("i", lambda q: q.eq(it, 1)).collect(),
    "filter": lambda ctx, it: ctx.db.query("t").filter(lambda q: q.eq(q.field("a"), it)).collect(),
    "filterField": lambda ctx, it: ctx.db.query("t").filter(lambda q: q.eq(q.field(it), 1)).collect(),
    "take": lambda ctx, it: ctx.db.query("t").take(it),
    "cursor": lambda ctx, it: ctx.db.query("t").paginate({"cursor": it, "numItems": 1}),
    "pageSize": lambda ctx, it: ctx.db.query("t").paginate({"cursor": None, "numItems": it}),
    "normalize": lambda ctx, it: ctx.db.normalize_id(it, it),
    "path": lambda ctx, it: ctx.run_query(it, {}),
    "argument": lambda ctx, it: ctx.run_query("functions:takes", {"it": it}),
    "argumentName": lambda ctx, it: ctx.run_query("functions:takes", {it: 1}),
    "nestedError": lambda ctx, it: ctx.run_query("functions:query", {"door": "error", "content": "half"}),
    "nestedLog": lambda ctx, it: (print(it), ctx.run_query("functions:takes", {}))[1],
    "scheduledPath": lambda ctx, it: ctx.scheduler.run_after(0, it, {}),
    "scheduled": lambda ctx, it: ctx.scheduler.run_after(10**10, "functions:mutation", {"it": it}),
    "delay": lambda ctx, it: ctx.scheduler.run_after(it, "functions:mutation", {}),
    "moment": lambda ctx, it: ctx.scheduler.run_at(it, "functions:mutation", {}),
    "job": lambda ctx, it: ctx.scheduler.cancel(it),
    "file": lambda ctx, it: ctx.storage.get_url(it),
    "fileBytes": lambda ctx, it: ctx.storage.get(it),
    "contentType": lambda ctx, it: ctx.storage.store(Blob(b"x", it)),
    "digest": lambda ctx, it: ctx.storage.store(Blob(b"x"), sha256=it),
    "blob": lambda ctx, it: ctx.storage.store(Blob(it)),
    "environment": lambda ctx, it: env.get(it) and None,
    "processEnvironment": lambda ctx, it: os.environ.get(it) and None,
    "claims": lambda ctx, it: ctx.auth.sign_jwt({"it": it}, expires_in_seconds=60),
    "handle": lambda ctx, it: ctx.meta.create_function_handle(it),
    "operation": lambda ctx, it: ctx._syscalls.call(it, {}),
    "arguments": lambda ctx, it: ctx._syscalls.call("1.0/insert", it),
    "rawArgument": lambda ctx, it: ctx._syscalls.call("1.0/insert", {"table": "t", "value": it}),
}
