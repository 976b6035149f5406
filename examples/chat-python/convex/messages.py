"""What is said in a channel."""

from typing import Literal, NotRequired, TypedDict

from parabola import Id, PaginationOpts, PaginationResult, internal_mutation, mutation, query

from . import channels, commands, presence
from ._generated.server import Doc, MutationCtx, NewDoc, QueryCtx
from .members import member_name


class Attachment(TypedDict):
    id: Id["_storage"]
    name: str


class ShownFile(TypedDict):
    name: str
    url: str | None


class ShownMessage(TypedDict):
    """A message as the page shows it: with the address of its file."""

    _id: Id["messages"]
    _creationTime: float
    author: str
    kind: Literal["person", "command", "webhook"]
    text: str
    file: NotRequired[ShownFile]


@query
async def list(
    ctx: QueryCtx, channel: Id["channels"], paginationOpts: PaginationOpts
) -> PaginationResult[ShownMessage]:
    """The newest messages of a channel, page by page, with the addresses of their files."""
    await member_name(ctx)
    result = (
        await ctx.db.query("messages")
        .with_index("by_channel", lambda q: q.eq("channel", channel))
        .order("desc")
        .paginate(paginationOpts)
    )
    return {**result, "page": [await shown(ctx, message) for message in result["page"]]}


async def shown(ctx: QueryCtx, message: Doc.messages) -> ShownMessage:
    found: ShownMessage = {
        "_id": message["_id"],
        "_creationTime": message["_creationTime"],
        "author": message["author"],
        "kind": message["kind"],
        "text": message["text"],
    }
    if file := message.get("file"):
        found["file"] = {"name": file["name"], "url": await ctx.storage.get_url(file["id"])}
    return found


@mutation
async def send(ctx: MutationCtx, channel: Id["channels"], text: str, file: Attachment | None = None) -> None:
    """Say something, show a file, or give a command."""
    author = await member_name(ctx)
    message: NewDoc.messages = {
        "channel": channel,
        "author": author,
        "kind": "person",
        "text": text.strip(),
    }
    if file is not None:
        message["file"] = {"id": file["id"], "name": file["name"]}
    await ctx.db.insert("messages", message)
    await presence.clear(ctx, channel, author)
    if message["text"].startswith("/"):
        await commands.obey(ctx, channel, author, message["text"])


@internal_mutation
async def post(ctx: MutationCtx, channel: Id["channels"], author: str, text: str) -> None:
    """What a command answers."""
    message: NewDoc.messages = {"channel": channel, "author": author, "kind": "command", "text": text}
    await ctx.db.insert("messages", message)


@internal_mutation
async def receive(ctx: MutationCtx, channel: str, author: str, text: str) -> bool:
    """What a webhook says in the channel of that name; whether there is one."""
    found = await channels.named(ctx, channel)
    if found is not None:
        await ctx.db.insert(
            "messages", {"channel": found["_id"], "author": author, "kind": "webhook", "text": text}
        )
    return found is not None
