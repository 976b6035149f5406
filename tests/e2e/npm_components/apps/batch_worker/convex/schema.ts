import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  events: defineTable({ queue: v.string(), value: v.number(), insertedAt: v.commitTs() }).index("by_time", [
    "queue",
    "insertedAt",
  ]),
  sums: defineTable({ queue: v.string(), sum: v.number(), batches: v.number() }).index("by_queue", ["queue"]),
});
