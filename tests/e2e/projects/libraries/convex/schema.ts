import { authTables } from "@convex-dev/auth/server";
import { rateLimitTables } from "convex-helpers/server/rateLimit";
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  ...authTables,
  ...rateLimitTables,
  channels: defineTable({ name: v.string(), posts: v.number() }).index("by_name", ["name"]),
  posts: defineTable({ channel: v.id("channels"), text: v.string() }).index("by_channel", ["channel"]),
});
