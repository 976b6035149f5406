"""What is said in a channel."""

from parabola import (
    Document,
    Id,
    MutationCtx,
    QueryCtx,
    internal_mutation,
    mutation,
    pagination_opts,
    query,
    v,
)

from . import channels, commands, presence
from .members import member_name

attachment = v.object({"id": v.id("_storage"), "name": v.string()})


@query(args={"channel": v.id("channels"), "paginationOpts": pagination_opts})
async def list(ctx: QueryCtx, channel, paginationOpts):
    """The newest messages of a channel, page by page, with the addresses of their files."""
    await member_name(ctx)
    result = (
        await ctx.db.query("messages")
        .with_index("by_channel", lambda q: q.eq("channel", channel))
        .order("desc")
        .paginate(paginationOpts)
    )
    for message in result["page"]:
        if file := message.get("file"):
            message["file"] = {"name": file["name"], "url": await ctx.storage.get_url(file["id"])}
    return result


@mutation(args={"channel": v.id("channels"), "text": v.string(), "file": v.optional(attachment)})
async def send(ctx: MutationCtx, channel, text, file=None):
    """Say something, show a file, or give a command."""
    author = await member_name(ctx)
    message = {"channel": channel, "author": author, "kind": "person", "text": text.strip()}
    await ctx.db.insert("messages", message | ({"file": file} if file else {}))
    await presence.clear(ctx, channel, author)
    if message["text"].startswith("/"):
        await commands.obey(ctx, channel, author, message["text"])


@internal_mutation
async def post(ctx: MutationCtx, channel: Id["channels"], author: str, text: str) -> None:
    """What a command answers."""
    message = {"channel": channel, "author": author, "kind": "command", "text": text}
    await ctx.db.insert("messages", message)


@internal_mutation
async def receive(ctx: MutationCtx, channel: str, author: str, text: str) -> bool:
    """What a webhook says in the channel of that name; whether there is one."""
    found: Document | None = await channels.named(ctx, channel)
    if found is not None:
        message = {"channel": found["_id"], "author": author, "kind": "webhook", "text": text}
        await ctx.db.insert("messages", message)
    return found is not None
