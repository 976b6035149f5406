import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  articles: defineTable({
    title: v.string(),
    text: v.string(),
    state: v.union(v.literal("submitted"), v.literal("published"), v.literal("returned")),
  }),
});
