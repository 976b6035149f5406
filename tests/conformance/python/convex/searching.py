"""Searching by words and by meaning."""

from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query, v


def names(rows):
    return [row["name"] for row in rows]


@query(args={"text": v.string(), "paginationOpts": v.any()})
async def page(ctx: QueryCtx, text, paginationOpts):
    rows = ctx.db.query("items").with_search_index("search_text", lambda q: q.search("text", text))
    found = await rows.paginate(paginationOpts)
    return {"names": names(found["page"]), "isDone": found["isDone"]}


@query(args={"text": v.string(), "kind": v.string()})
async def filtered(ctx: QueryCtx, text, kind):
    rows = ctx.db.query("items").with_search_index("search_text", lambda q: q.search("text", text))
    return names(await rows.filter(lambda q: q.eq(q.field("kind"), kind)).take(2))


@query(args={"kind": v.string()})
async def wrong(ctx: QueryCtx, kind):
    builds = {
        "field": lambda q: q.search("name", "x"),
        "twice": lambda q: q.search("text", "x").search("text", "y"),
        "filter": lambda q: q.search("text", "x").eq("name", "y"),
        "none": lambda q: q.eq("kind", "y"),
    }
    index = {"index": "by_value", "missing": "nothing"}.get(kind, "search_text")
    build = builds.get(kind, lambda q: q.search("text", "x"))
    rows = ctx.db.query("items").with_search_index(index, build)
    if kind == "order":
        rows = rows.order("asc")
    return names(await rows.collect())


@mutation
async def own(ctx: MutationCtx):
    async def search():
        rows = ctx.db.query("items").with_search_index("search_text", lambda q: q.search("text", "fresh"))
        return names(await rows.collect())

    id = await ctx.db.insert("items", {"name": "new", "text": "fresh"})
    inserted = await search()
    await ctx.db.patch(id, {"text": "stale"})
    patched = await search()
    await ctx.db.replace(id, {"name": "again", "text": "fresh fresh"})
    replaced = await search()
    await ctx.db.delete(id)
    return [inserted, patched, replaced, await search()]


@query(args={"id": v.string()})
async def find(ctx: QueryCtx, id):
    return (await ctx.db.get(id))["name"]


FILTERS = {
    "one": lambda q: q.eq("kind", "a"),
    "either": lambda q: q.or_(q.eq("kind", "a"), q.eq("kind", "b")),
    "wrong": lambda q: q.eq("name", "a"),
}


@action(args={"vector": v.any(), "limit": v.optional(v.number()), "filter": v.optional(v.string())})
async def near(ctx: ActionCtx, vector, limit=None, filter=None):
    found = await ctx.vector_search(
        "items", "near", vector=vector, limit=limit, filter=None if filter is None else FILTERS[filter]
    )
    return [
        [await ctx.run_query("searching:find", {"id": hit["_id"]}), round(hit["_score"] * 1000)]
        for hit in found
    ]


@query(args={"vector": v.array(v.number()), "minimum": v.optional(v.number())})
async def near_in_query(ctx: QueryCtx, vector, minimum=None):
    found = await ctx.db.vector_search("items", "near", vector=vector, minimum_score=minimum)
    return names([await ctx.db.get(hit["_id"]) for hit in found])


@query(args={"text": v.string(), "vector": v.array(v.number())})
async def both(ctx: QueryCtx, text, vector):
    found = await ctx.db.hybrid_search(
        "items",
        search_index="search_text",
        search=lambda q: q.search("text", text),
        vector_index="near",
        vector=vector,
    )
    return names([await ctx.db.get(hit["_id"]) for hit in found])
