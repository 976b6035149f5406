import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({ told: defineTable({ id: v.string(), type: v.string() }) });
