import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({ heard: defineTable({ body: v.string(), from: v.string() }) });
