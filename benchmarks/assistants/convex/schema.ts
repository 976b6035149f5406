import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  answers: defineTable({ assistant: v.string(), text: v.string() }).index("by_assistant", ["assistant"]),
});
