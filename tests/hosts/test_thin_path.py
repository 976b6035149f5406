import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASKS = """
from parabola import Id, QueryCtx, MutationCtx, query, mutation, v

@query(args={"limit": v.optional(v.number())},
       returns=v.array(v.object({"_id": v.id("tasks"), "_creationTime": v.number(), "text": v.string(), "completed": v.boolean()})))
async def list(ctx: QueryCtx, limit: float | None = None):
    return await ctx.db.query("tasks").order("desc").take(limit or 10)

@mutation
async def create(ctx: MutationCtx, text: str) -> Id["tasks"]:
    return await ctx.db.insert("tasks", {"text": text, "completed": False})

@query
def sync_list(ctx: QueryCtx):
    return ctx.db.query("tasks").collect()
"""


async def test_a_mutation_inserts_and_a_query_collects(host):
    assert (await host.load({"tasks.py": TASKS}))["type"] == "loaded"
    print(await host.analyze())
    created = await host.mutation("tasks.py:create", text="milk")
    assert created.result == "tasks|1"
    listed = await host.query("tasks.py:list")
    assert listed.result == [{"_id": "tasks|1", "_creationTime": 1.0, "text": "milk", "completed": False}]
    assert (await host.query("tasks.py:sync_list")).result == listed.result
