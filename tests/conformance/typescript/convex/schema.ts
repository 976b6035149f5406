import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  items: defineTable(v.any())
    .index("by_value", ["value"])
    .index("by_kind_value", ["kind", "value"])
    .searchIndex("search_text", { searchField: "text", filterFields: ["kind"] })
    .vectorIndex("near", { vectorField: "vector", dimensions: 2, filterFields: ["kind"] }),
  others: defineTable(v.any()),
  people: defineTable({ name: v.string(), age: v.optional(v.number()), friend: v.optional(v.id("people")) }),
});
