"""Errors raised by functions."""

import asyncio

from parabola import ConvexError, Int64, action, mutation, query, v


class Special(Exception):
    pass


RAISED = {
    "error": lambda: ValueError("boom"),
    "type_error": lambda: TypeError("bad type"),
    "special": lambda: Special("very"),
    "without_message": ValueError,
    "convex_text": lambda: ConvexError("plain"),
    "convex_object": lambda: ConvexError({"code": 1, "big": Int64(2)}),
}


@query(args={"what": v.string()})
async def in_query(ctx, what):
    raise RAISED[what]()


@mutation(args={"what": v.string()})
async def in_mutation(ctx, what):
    raise RAISED[what]()


@action(args={"what": v.string()})
async def in_action(ctx, what):
    raise RAISED[what]()


@query
async def deep(ctx):
    outer()


def outer():
    inner()


def inner():
    raise ValueError("from below")


@query
async def recursion(ctx):
    def down(n):
        return 1 + down(n + 1)

    try:
        return down(0)
    except RecursionError as error:
        return type(error).__name__


@query
async def endless(ctx):
    while True:
        pass


@query
async def never(ctx):
    await asyncio.get_running_loop().create_future()
