from parabola import MutationCtx, QueryCtx, mutation, query


@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()


@mutation
async def remove(ctx: MutationCtx, id: str) -> None:
    await ctx.storage.delete(id)


@query
async def stored(ctx: QueryCtx):
    rows = await ctx.db.system.query("_storage").collect()
    return {row["_id"]: [row["sha256"], row["size"], await ctx.storage.get_url(row["_id"])] for row in rows}
