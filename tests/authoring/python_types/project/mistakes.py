"""Seventeen and more mistakes, one a line. Each line is marked, and has no other mistake. Only checked."""

# ruff: noqa: E501, F841, I001
# fmt: off
from __future__ import annotations

from ._generated.server import ActionCtx, Id, MutationCtx, QueryCtx, SyncMutationCtx, UNDEFINED, api, internal, mutation, query


@query
async def reading(ctx: QueryCtx, note: Id["notes"], user: Id["users"]) -> None:
    await ctx.db.query("nots").collect()  # mistake: table
    await ctx.db.query("notes").with_index("by_stars").collect()  # mistake: index
    await ctx.db.query("notes").with_index("by_owner_stars", lambda q: q.eq("ownr", user)).collect()  # mistake: index field
    await ctx.db.query("notes").with_index("by_owner_stars", lambda q: q.eq("stars", 1)).collect()  # mistake: order of fields
    await ctx.db.query("notes").with_index("by_owner_stars", lambda q: q.eq("owner", note)).collect()  # mistake: value of a field
    await ctx.db.query("notes").with_index("by_owner_stars", lambda q: q.eq("owner", user).gt("owner", user)).collect()  # mistake: bound
    await ctx.db.query("notes").filter(lambda q: q.eq(q.field("txt"), 1)).collect()  # mistake: field in a filter
    found = await ctx.db.get(note)
    assert found is not None
    print(found["txt"])  # mistake: field
    print(found["stars"].upper())  # mistake: type of a field
    print((await ctx.db.get(user))["name"])  # mistake: perhaps None
    await ctx.db.insert("users", {"name": "x", "age": 1})  # mistake: write in a query
    await ctx.scheduler.run_after(0, internal.notes.clean)  # mistake: scheduler in a query
    ctx.db.query("notes").collect()  # mistake: await
    print(ctx.databse)  # mistake: attribute of ctx
    first = await ctx.db.query("notes").first()
    print(first["text"])  # mistake: perhaps no row
    page = await ctx.db.query("notes").paginate({"numItems": 1, "cursor": None})
    print(page["pages"])  # mistake: field of a page
    print(page["page"][0]["txt"])  # mistake: field on a page
    await ctx.db.query("notes").order("up").collect()  # mistake: order
    await ctx.db.query("notes").order("asc").with_index("by_owner_stars").collect()  # mistake: index after order
    await ctx.db.get("users", note)  # mistake: id of another table
    await ctx.storage.get_url(note)  # mistake: no file


@mutation
async def writing(ctx: MutationCtx, note: Id["notes"], user: Id["users"]) -> Id["notes"]:
    await ctx.db.insert("user", {"name": "x", "age": 1})  # mistake: table of insert
    await ctx.db.insert("users", {"nam": "x", "age": 1})  # mistake: field of insert
    await ctx.db.insert("users", {"name": 3, "age": 1})  # mistake: type in insert
    await ctx.db.insert("users", {"name": "x", "age": 1.5})  # mistake: integer in insert
    await ctx.db.insert("users", {"name": "x"})  # mistake: missing field
    await ctx.db.insert("events", {"kind": "say", "user": user})  # mistake: member of a union
    await ctx.db.patch(note, {"starz": 1})  # mistake: field of patch
    await ctx.db.patch(note, {"stars": "1"})  # mistake: type in patch
    await ctx.db.patch(note, {"owner": note})  # mistake: id in patch
    await ctx.db.patch(note, {"tags": "abc"})  # mistake: string for an array
    await ctx.db.patch(note, {"place": {"lat": 1, "lon": "2", "names": []}})  # mistake: nested type
    await ctx.db.patch(note, {"kind": "fancy"})  # mistake: literal
    await ctx.db.patch(note, {"text": UNDEFINED})  # mistake: removal of a required field
    await ctx.db.replace(user, {"name": "x"})  # mistake: missing field of replace
    ctx.db.delete(note)  # mistake: await of a write
    await ctx.run_query(api.notes.bst, {"at_least": 1})  # mistake: reference
    await ctx.run_query(api.note.best, {"at_least": 1})  # mistake: module
    await ctx.run_query(api.notes.best, {"at_last": 1})  # mistake: argument name
    await ctx.run_query(api.notes.best, {"at_least": "1"})  # mistake: type of an argument
    await ctx.run_query(api.notes.best)  # mistake: missing arguments
    await ctx.run_query(internal.notes.best, {"at_least": 1})  # mistake: public in internal
    await ctx.run_query(api.notes.add, {"text": "x"})  # mistake: mutation as query
    await ctx.run_action(api.notes.fetch, {"url": ""})  # mistake: action in a mutation
    notes = await ctx.run_query(api.notes.best, {"at_least": 1})
    print(notes["text"])  # mistake: use of a result
    print(notes[0]["txt"])  # mistake: field of a result
    await ctx.scheduler.run_after(0, internal.notes.remind, {"note": user, "times": 1})  # mistake: argument of a job
    await ctx.scheduler.run_after(0, api.notes.best, {"at_least": 1})  # mistake: a query as a job
    return await ctx.db.insert("users", {"name": "x", "age": 1})  # mistake: result


async def acting(ctx: ActionCtx, note: Id["notes"]) -> None:
    await ctx.db.get(note)  # mistake: database in an action
    await ctx.run_mutation(api.notes.add, {"txt": "x"})  # mistake: argument of a mutation
    number: int = await ctx.run_mutation(api.notes.add, {"text": "x"})  # mistake: type of a result
    await ctx.run_query(api.notes.page, {"paginationOpts": {"numItems": "1", "cursor": None}})  # mistake: nested argument
    await ctx.run_action(api.notes.fetch, {})  # mistake: no argument


def plainly(ctx: SyncMutationCtx, note: Id["notes"]) -> None:
    ctx.db.insert("users", {"name": 3, "age": 1})  # mistake: type in a plain insert
    ctx.db.get(note)["text"]  # mistake: plain None
    ctx.run_query(api.notes.best, {"at_last": 1})  # mistake: plain argument
