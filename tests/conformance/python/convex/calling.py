"""Arguments, results, their validators, and what else can be wrong with a call."""

from parabola import UNDEFINED, QueryCtx, action, internal_query, mutation, query, v


@query(args={"value": v.any()})
async def echo(ctx: QueryCtx, value):
    return value


@query
async def untyped(ctx: QueryCtx, **args):
    return args


@query
async def nothing(ctx: QueryCtx):
    pass


@internal_query
async def hidden(ctx: QueryCtx):
    return "seen"


@mutation
async def change(ctx):
    return None


@action
async def act(ctx):
    return None


@query(
    args={
        "name": v.string(),
        "size": v.optional(v.number()),
        "choice": v.optional(v.union(v.literal("a"), v.literal(0), v.literal(1.5))),
        "list": v.optional(v.array(v.object({"flag": v.boolean()}))),
        "record": v.optional(v.record(v.string(), v.number())),
        "big": v.optional(v.int64()),
        "maybe": v.optional(v.union(v.string(), v.null())),
        "item": v.optional(v.id("items")),
    }
)
async def typed(ctx: QueryCtx, **args):
    return args


@query
async def without_arguments(ctx: QueryCtx):
    return "called"


RETURNING = {"text": "x", "number": 5, "extra": {"a": 1, "b": 2}}


@query(args={"what": v.string()}, returns=v.string())
async def returns_text(ctx: QueryCtx, what):
    return RETURNING[what]


@query(args={"extra": v.boolean()}, returns=v.object({"a": v.number()}))
async def returns_object(ctx: QueryCtx, extra):
    return {"a": 1, "b": 2} if extra else {"a": 1}


@query(returns=v.array(v.object({"name": v.string()})))
async def returns_without_system_fields(ctx: QueryCtx):
    return await ctx.db.query("items").collect()


@query(returns=v.array(v.object({"_id": v.id("items"), "name": v.string()})))
async def returns_with_id(ctx: QueryCtx):
    return await ctx.db.query("items").collect()


@query
async def returns_query(ctx: QueryCtx):
    return ctx.db.query("items")


@query
async def returns_set(ctx: QueryCtx):
    return {"a": object()}


@query
async def returns_undefined_fields(ctx: QueryCtx):
    return {"a": 1, "b": UNDEFINED}


async def not_registered():
    return "not a function of Convex"
