"""What an author writes, in all its ways: both checkers accept it, and it can be deployed."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ._generated.api import internal as internal_too
from ._generated.server import (
    COMMIT_TS,
    UNDEFINED,
    ActionCtx,
    ConvexError,
    Doc,
    Id,
    Int64,
    MutationCtx,
    NewDoc,
    PaginationOpts,
    PaginationResult,
    PatchDoc,
    QueryCtx,
    SyncActionCtx,
    SyncMutationCtx,
    SyncQueryCtx,
    action,
    api,
    env,
    internal,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
    v,
)
from .lib import people


class Kind(enum.Enum):
    PLAIN = "plain"
    RICH = "rich"


@dataclass
class Counter:
    name: str
    votes: dict[str, float]
    any: float = 1


@query
async def best(ctx: QueryCtx, at_least: float, limit: int = 10) -> list[Doc.notes]:
    me = await people.current(ctx)
    found = (
        await ctx.db.query("notes")
        .with_index("by_owner_stars", lambda q: q.eq("owner", me["_id"]).gte("stars", at_least))
        .order("desc")
        .filter(lambda q: q.and_(q.neq(q.field("kind"), "rich"), q.gt(q.field("place.lat"), 0)))
        .take(limit)
    )
    for note in found:
        for tag in note.get("tags", []):
            print(tag.upper(), note["stars"] * 2, note["text"].strip())
    return found


@query
async def page(ctx: QueryCtx, paginationOpts: PaginationOpts) -> PaginationResult[Doc.notes]:
    result = await ctx.db.query("notes").order("desc").paginate(paginationOpts)
    print(result["isDone"], [note["text"] for note in result["page"]])
    return result


@query
async def summary(ctx: QueryCtx) -> dict[str, float]:
    totals: dict[str, float] = {}
    async for note in ctx.db.query("notes"):
        if "place" in note:
            print(note["place"]["lat"], note["place"]["names"])
        totals[note["owner"]] = totals.get(note["owner"], 0) + note["stars"]
    async for event in ctx.db.query("events").with_index("by_user"):
        if event["kind"] == "say":
            print(event["text"])
    count = await ctx.db.query("notes").count()
    return {**totals, "count": count}


@query
async def one(ctx: QueryCtx, note: Id["notes"]) -> Doc.notes | None:
    found, same = await asyncio.gather(ctx.db.get(note), ctx.db.get("notes", note))
    if found is None:
        raise ConvexError({"code": "missing", "note": note})
    parent = found.get("parent")
    above = None if parent is None else await ctx.db.get(parent)
    owner = await ctx.db.get(found["owner"])
    if owner is not None:
        print(owner["name"], range(owner["age"]))
    return above or same


@query
async def urls(ctx: QueryCtx) -> list[str | None]:
    notes = (
        await ctx.db.query("notes")
        .with_index("by_creation_time", lambda q: q.gt("_creationTime", 5))
        .collect()
    )
    pictures: list[Id["_storage"]] = [note["picture"] for note in notes if "picture" in note]
    owners = {note["owner"] for note in notes}
    print([await ctx.db.get(owner) for owner in owners])
    files = [await ctx.db.system.get(picture) for picture in pictures]
    print([file["size"] for file in files if file is not None])
    async for job in ctx.db.system.query("_scheduled_functions"):
        print(job["name"], job["state"]["kind"])
    return [await ctx.storage.get_url(picture) for picture in pictures]


@mutation
async def add(
    ctx: MutationCtx, text: str, stars: float = 0, tags: list[str] | None = None, kind: Kind = Kind.PLAIN
) -> Id["notes"]:
    me = await people.current(ctx)
    note: NewDoc.notes = {
        "text": text,
        "stars": stars,
        "owner": me["_id"],
        "kind": "plain",
        "links": [{"title": "home", "url": "https://example.com"}],
        "version": Int64(1),
        "body": b"",
    }
    if tags:
        note["tags"] = tags
    first = await ctx.db.insert("notes", note)
    second = await ctx.db.insert(
        "notes",
        {
            **note,
            "kind": kind,
            "stars": 1,
            "tags": ("a", "b"),
            "parent": first,
            "place": {"lat": 1, "lon": 2.5, "names": ["x"]},
            "from": None,
        },
    )
    await ctx.scheduler.run_after(timedelta(minutes=1), internal.notes.remind, {"note": second, "times": 3})
    await ctx.scheduler.run_at(datetime.now(UTC) + timedelta(hours=1), internal_too.notes.clean)
    job = await ctx.scheduler.run_after(0, internal.notes.clean, {})
    await ctx.scheduler.cancel(job)
    return second


@mutation
async def change(ctx: MutationCtx, note: Id["notes"], fields: PatchDoc.notes) -> None:
    await ctx.db.patch(note, {"stars": 3, "tags": UNDEFINED, "place": {"lat": 1, "lon": 2, "names": ()}})
    await ctx.db.patch("notes", note, {"text": "new", "from": "me"})
    await ctx.db.patch(note, fields)
    changes: PatchDoc.notes = {"stars": 4}
    if len(changes) < 2:
        changes["text"] = "more"
    await ctx.db.patch(note, changes)
    found = await ctx.db.get(note)
    if found is None:
        return
    found["text"] += "!"
    await ctx.db.replace(note, found)
    await ctx.db.replace("notes", note, {**found, "stars": 1})
    await ctx.db.delete(note)
    await ctx.db.delete("notes", note)


@mutation
async def more(ctx: MutationCtx, counter: str) -> dict[str, Any]:
    me = await people.current(ctx)
    await ctx.db.insert("counters", Counter(counter, {me["_id"]: 1}))
    await ctx.db.insert("counters", {"name": counter, "votes": {me["_id"]: 1}, "any": [1, "x", None]})
    await ctx.db.insert("events", {"kind": "say", "user": me["_id"], "text": counter})
    await ctx.db.insert("loose", {"what": ["ever"], "ts": COMMIT_TS})
    await ctx.db.insert("places", {"lat": 1.5, "lon": 2, "names": []})
    loose = await ctx.db.query("loose").first()
    given = await ctx.db.normalize_id("notes", counter)
    if given is not None:
        await ctx.db.delete(given)
    checked = cast(Id["users"], counter)
    user = await ctx.db.query("users").with_index("by_email", lambda q: q.eq("email", counter)).unique()
    missing = await ctx.db.query("users").with_index("by_email", lambda q: q.eq("email", UNDEFINED)).first()
    low = ctx.db.query("notes").with_index("by_city", lambda q: q.gte("place.lat", 1).lt("place.lat", 2))
    for note in await low.collect():
        print(note["links"][0]["url"], note["version"] + 1, note["body"].hex())
    await ctx.run_mutation(internal.notes.clean)
    notes = await ctx.run_query(api.notes.best, {"at_least": 2})
    same = await ctx.run_query(best, {"at_least": 2})
    print(notes[0]["text"], same[0]["text"], checked, user, missing)
    return {} if loose is None else loose


@internal_mutation
async def remind(ctx: MutationCtx, note: Id["notes"], times: int) -> None:
    print(await ctx.db.get(note), times)


@internal_mutation
async def clean(ctx: MutationCtx) -> None:
    for each in await ctx.db.query("notes").take(100):
        await ctx.db.delete(each["_id"])


@internal_query(args={"text": v.string()}, returns=v.number())
async def length(ctx: QueryCtx, text: str) -> float:
    return len(text)


@action
async def fetch(ctx: ActionCtx, url: str) -> str:
    notes = await ctx.run_query(api.notes.best, {"at_least": 1, "limit": 2})
    page = await ctx.run_query(api.notes.page, {"paginationOpts": {"numItems": 10, "cursor": None}})
    added = await ctx.run_mutation(api.notes.add, {"text": url, "tags": ["x"]})
    stored = await ctx.storage.store(b"bytes", content_type="text/plain")
    print(await ctx.storage.get_url(stored), page["page"][0]["text"], env["TOKEN"])
    length = await ctx.run_query(internal.notes.length, {"text": url})
    await ctx.run_action(internal.notes.blocking, {"note": added})
    await ctx.scheduler.run_after(1000, internal.lib.people.greet, {"name": f"{length + 1}"})
    identity = await ctx.auth.get_user_identity()
    return notes[0]["text"] if identity is None else identity.subject


@internal_action
def blocking(ctx: SyncActionCtx, note: Id["notes"]) -> None:
    found = ctx.run_query(api.notes.one, {"note": note})
    if found is not None:
        print(found["text"])
    ctx.run_mutation(api.notes.change, {"note": note, "fields": {"stars": 1}})


@query
def plain(ctx: SyncQueryCtx, note: Id["notes"]) -> str:
    for each in ctx.db.query("notes").with_index("by_owner_stars"):
        print(each["text"])
    found = ctx.db.get(note)
    return "" if found is None else found["text"]


@mutation
def plain_add(ctx: SyncMutationCtx, name: str) -> Id["users"]:
    user = ctx.db.insert("users", {"name": name, "age": 3})
    ctx.db.patch(user, {"age": 4})
    ctx.scheduler.run_after(0, internal.notes.clean)
    print(plain(ctx, cast(Id["notes"], "")), ctx.run_query(count_plain))
    return user


@query
def count_plain(ctx: SyncQueryCtx) -> int:
    return ctx.db.query("notes").count()
