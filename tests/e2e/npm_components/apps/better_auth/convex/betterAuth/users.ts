import { query } from "./_generated/server";

/** A function of the app's own that reads the component's tables: what a local install is for. */
export const names = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("user").withIndex("name").collect()).map(({ name }) => name),
});
