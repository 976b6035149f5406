import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  jobs: defineTable({
    done: v.function({ fnType: "mutation", args: { text: v.string() }, returns: v.null() }),
    at: v.commitTs(),
  })
    .index("by_at", ["at"])
    .index("by_done", { fields: ["done"], staged: true }),
  notes: defineTable({ text: v.string() }),
});
