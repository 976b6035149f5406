"""Bank transfers: two reads through an index, two patches."""

from parabola import MutationCtx, QueryCtx, mutation, query


@mutation
async def open(ctx: MutationCtx, first: int, count: int, balance: float) -> None:
    for number in range(first, first + count):
        await ctx.db.insert("accounts", {"number": number, "balance": balance})


@mutation
async def move(ctx: MutationCtx, payer: int, payee: int, amount: float) -> None:
    source = await ctx.db.query("accounts").with_index("by_number", lambda q: q.eq("number", payer)).unique()
    target = await ctx.db.query("accounts").with_index("by_number", lambda q: q.eq("number", payee)).unique()
    assert source is not None
    assert target is not None
    await ctx.db.patch(source["_id"], {"balance": source["balance"] - amount})
    await ctx.db.patch(target["_id"], {"balance": target["balance"] + amount})


@query
async def count(ctx: QueryCtx) -> int:
    return len(await ctx.db.query("accounts").take(1))


@query
async def total(ctx: QueryCtx, first: int, count: int) -> float:
    accounts = ctx.db.query("accounts").with_index(
        "by_number", lambda q: q.gte("number", first).lt("number", first + count)
    )
    return sum([account["balance"] async for account in accounts])
