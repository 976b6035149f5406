import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  events: defineTable({ text: v.string() }),
  scores: defineTable({ name: v.string(), score: v.number(), seen: v.optional(v.boolean()) }),
});
