import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  channels: defineTable({ name: v.string() }).index("by_name", ["name"]),
  messages: defineTable({
    channel: v.id("channels"),
    author: v.string(),
    kind: v.union(v.literal("person"), v.literal("command"), v.literal("webhook")),
    text: v.string(),
    file: v.optional(v.object({ id: v.id("_storage"), name: v.string() })),
  }).index("by_channel", ["channel"]),
  presence: defineTable({ channel: v.id("channels"), name: v.string(), until: v.number() }).index("by_channel_name", [
    "channel",
    "name",
  ]),
});
