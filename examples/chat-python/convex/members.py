"""Who calls. An ordinary module: the others import it."""

from parabola import ConvexError

from ._generated.server import QueryCtx


async def member_name(ctx: QueryCtx) -> str:
    """The name of the caller, who must be signed in."""
    identity = await ctx.auth.get_user_identity()
    if identity is None:
        raise ConvexError("Sign in first")
    return str(identity.name or identity.subject)
