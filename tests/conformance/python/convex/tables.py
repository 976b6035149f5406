from parabola import MutationCtx, internal_mutation, v


@internal_mutation(args={"documents": v.array(v.any())})
async def fill(ctx: MutationCtx, documents):
    for document in documents:
        await ctx.db.insert("items", document)


@internal_mutation
async def clear(ctx: MutationCtx):
    for table in ("items", "others", "people"):
        for row in await ctx.db.query(table).collect():
            await ctx.db.delete(row["_id"])
