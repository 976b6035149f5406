from parabola import mutation

from ._generated.server import MutationCtx
from .members import member_name


@mutation
async def upload(ctx: MutationCtx) -> str:
    """An address that takes one file by POST, and answers with its id."""
    await member_name(ctx)
    return await ctx.storage.generate_upload_url()
