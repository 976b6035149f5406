import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  reviews: defineTable({
    text: v.string(),
    mood: v.optional(v.object({ score: v.number(), words: v.number() })),
  }),
});
