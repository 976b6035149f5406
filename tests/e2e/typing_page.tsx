// Not run: type-checked by the TypeScript compiler against the declarations generated for the tasks example.
import { ConvexHttpClient } from "convex/browser";
import { usePaginatedQuery, useQuery } from "convex/react";
import type { FunctionArgs, FunctionReturnType } from "convex/server";
import { api, internal } from "./convex/_generated/api";
import type { Doc, Id } from "./convex/_generated/dataModel";
import { query } from "./convex/_generated/server";

export async function clients(client: ConvexHttpClient) {
  const tasks: Array<{ _id: Id<"tasks">; text: string; completed: boolean }> = await client.query(api.tasks.list, {});
  const id: Id<"tasks"> = await client.mutation(api.tasks.create, { text: "x" });
  const cleared: number = await client.mutation(api.tasks.clear_completed);
  const nothing: null = await client.mutation(api.tasks.toggle, { id });
  // @ts-expect-error the argument has the wrong type
  await client.mutation(api.tasks.create, { text: 1 });
  // @ts-expect-error there is no such argument
  await client.mutation(api.tasks.clear_completed, { x: 1 });
  // @ts-expect-error the argument is missing
  await client.mutation(api.tasks.create);
  // @ts-expect-error an id of another table
  await client.mutation(api.tasks.remove, { id: "" as Id<"_storage"> });
  // @ts-expect-error a mutation is not a query
  await client.query(api.tasks.create, { text: "x" });
  // @ts-expect-error internal functions are not in the public api
  api.sample.load;
  internal.sample.load;
  return { tasks, cleared, nothing };
}

export function Page() {
  const tasks: FunctionReturnType<typeof api.tasks.list> | undefined = useQuery(api.tasks.list, { limit: 3 });
  const { results } = usePaginatedQuery(api.tasks.page, {}, { initialNumItems: 2 });
  const args: FunctionArgs<typeof api.tasks.list> = {};
  return <p>{[tasks?.[0]?.text, results.length, args.limit]}</p>;
}

export const done = query({
  args: {},
  handler: async (ctx) => {
    const tasks = await ctx.db
      .query("tasks")
      .withIndex("by_completed", (q) => q.eq("completed", true))
      .collect();
    const first: Doc<"tasks"> | undefined = tasks[0];
    // @ts-expect-error there is no such index
    ctx.db.query("tasks").withIndex("by_nothing");
    // @ts-expect-error there is no such field
    first?.nothing;
    return first?.text.length ?? 0;
  },
});
