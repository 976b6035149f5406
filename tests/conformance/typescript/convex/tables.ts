import { internalMutationGeneric as internalMutation } from "convex/server";
import { v } from "convex/values";

export const fill = internalMutation({
  args: { documents: v.array(v.any()) },
  handler: async ({ db }, { documents }) => {
    for (const document of documents) await db.insert("items", document);
  },
});

export const clear = internalMutation({
  args: {},
  handler: async ({ db }) => {
    for (const table of ["items", "others", "people"]) {
      for (const row of await db.query(table).collect()) await db.delete(row._id as any);
    }
  },
});
