"""Query expressions, ranges and orders; conditions come as data, and go through the builders."""

from parabola import UNDEFINED, QueryCtx, query, v

SPELLINGS = {"and": "and_", "or": "or_", "not": "not_"}
order_of = v.optional(v.union(v.literal("asc"), v.literal("desc")))


def names(rows):
    return [row["name"] for row in rows]


def within(q, conditions):
    for operator, field, *value in conditions:
        q = getattr(q, operator)(field, value[0] if value else UNDEFINED)
    return q


def expression(q, condition):
    operator, *operands = condition
    if operator == "field":
        return q.field(operands[0])
    if operator == "literal":
        return operands[0]
    return getattr(q, SPELLINGS.get(operator, operator))(*(expression(q, one) for one in operands))


@query(args={"index": v.string(), "conditions": v.optional(v.array(v.any())), "order": order_of})
async def in_range(ctx: QueryCtx, index, conditions=(), order="asc"):
    rows = ctx.db.query("items").with_index(index, lambda q: within(q, conditions)).order(order)
    return names(await rows.collect())


@query(args={"condition": v.array(v.any())})
async def matching(ctx: QueryCtx, condition):
    return names(await ctx.db.query("items").filter(lambda q: expression(q, condition)).collect())


@query
async def absent_field(ctx: QueryCtx):
    return names(await ctx.db.query("items").filter(lambda q: q.eq(q.field("value"), UNDEFINED)).collect())


@query
async def absent_in_index(ctx: QueryCtx):
    rows = ctx.db.query("items").with_index("by_value", lambda q: q.eq("value", UNDEFINED))
    return names(await rows.collect())


@query(args={"order": order_of})
async def all(ctx: QueryCtx, order="asc"):
    return names(await ctx.db.query("items").order(order).collect())


@query
async def first(ctx: QueryCtx):
    row = await ctx.db.query("items").first()
    return None if row is None else row["name"]


@query(args={"n": v.number()})
async def take(ctx: QueryCtx, n):
    return names(await ctx.db.query("items").take(n))


@query
async def unique(ctx: QueryCtx):
    row = await ctx.db.query("items").unique()
    return None if row is None else row["name"]


@query
async def count(ctx: QueryCtx):
    return await ctx.db.query("items").count()


@query(args={"until": v.string()})
async def iterate(ctx: QueryCtx, until):
    seen = []
    async for row in ctx.db.query("items"):
        if row["name"] == until:
            break
        seen.append(row["name"])
    return seen


@query
async def filter_then_take(ctx: QueryCtx):
    return names(await ctx.db.query("items").filter(lambda q: q.gt(q.field("value"), 1)).take(1))


@query
async def missing_table(ctx: QueryCtx):
    return await ctx.db.query("nowhere").collect()


@query
async def by_creation_time(ctx: QueryCtx):
    rows = await ctx.db.query("items").collect()
    after = ctx.db.query("items").with_index(
        "by_creation_time", lambda q: q.gt("_creationTime", rows[0]["_creationTime"])
    )
    return names(await after.collect())


@query
async def past_declared_fields(ctx: QueryCtx):
    _, second, *_ = await ctx.db.query("items").collect()
    rows = ctx.db.query("items").with_index(
        "by_value", lambda q: q.eq("value", 1).gte("_creationTime", second["_creationTime"])
    )
    return names(await rows.collect())


@query
async def reused(ctx: QueryCtx):
    rows = ctx.db.query("items").order("asc")
    rows.filter(lambda q: True)
    return await rows.filter(lambda q: True).collect()


@query
async def ordered_twice(ctx: QueryCtx):
    return await ctx.db.query("items").order("asc").order("asc").collect()


@query(args={"text": v.string(), "kind": v.optional(v.string())})
async def search(ctx: QueryCtx, text, kind=None):
    def wanted(q):
        searched = q.search("text", text)
        return searched if kind is None else searched.eq("kind", kind)

    return names(await ctx.db.query("items").with_search_index("search_text", wanted).collect())


@query
async def wrong_reader(ctx: QueryCtx):
    return await ctx.db.system.query("items").collect()


@query(args={"paginationOpts": v.any(), "index": v.optional(v.string()), "above": v.optional(v.number())})
async def page(ctx: QueryCtx, paginationOpts, index=None, above=None):
    rows = ctx.db.query("items")
    if index is not None:
        rows = rows.with_index(index)
    if above is not None:
        rows = rows.filter(lambda q: q.gt(q.field("value"), above))
    page = await rows.paginate(paginationOpts)
    return {**page, "page": names(page["page"])}


@query
async def two_pages(ctx: QueryCtx):
    await ctx.db.query("items").paginate(num_items=1, cursor=None)
    return await ctx.db.query("items").paginate(num_items=1, cursor=None)
