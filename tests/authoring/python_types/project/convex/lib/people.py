"""Helpers that take the context of a query, and are given that of a mutation as well."""

from parabola import ConvexError, internal_mutation
from parabola import QueryCtx as AnyQueryCtx

from .._generated.server import DatabaseReader, Doc, MutationCtx, QueryCtx


async def current(ctx: QueryCtx) -> Doc.users:
    identity = await ctx.auth.get_user_identity()
    if identity is None:
        raise ConvexError("Sign in first")
    await anybody(ctx)
    return await by_email(ctx.db, identity["email"])


async def by_email(db: DatabaseReader, email: str) -> Doc.users:
    user = await db.query("users").with_index("by_email", lambda q: q.eq("email", email)).unique()
    if user is None:
        raise ConvexError("Nobody")
    return user


async def anybody(ctx: AnyQueryCtx) -> None:
    await ctx.db.query("users").first()


@internal_mutation
async def greet(ctx: MutationCtx, name: str) -> None:
    user = await current(ctx)
    await ctx.db.patch(user["_id"], {"name": name})
