import { v } from "convex/values";
import { GeospatialIndex } from "@convex-dev/geospatial";
import { components } from "./_generated/api";
import { mutation, query } from "./_generated/server";

const places = new GeospatialIndex<string, { category: string }>(components.geospatial);
const point = v.object({ latitude: v.number(), longitude: v.number() });
const rectangle = v.object({ west: v.number(), south: v.number(), east: v.number(), north: v.number() });

export const add = mutation({
  args: { key: v.string(), point, category: v.string(), price: v.number() },
  handler: async (ctx, { key, point, category, price }) => {
    await places.insert(ctx, key, point, { category }, price);
  },
});
export const get = query({ args: { key: v.string() }, handler: async (ctx, { key }) => await places.get(ctx, key) });
export const remove = mutation({
  args: { key: v.string() },
  handler: async (ctx, { key }) => await places.remove(ctx, key),
});
export const nearest = query({
  args: { point, limit: v.number(), maxDistance: v.optional(v.number()), category: v.optional(v.string()) },
  handler: async (ctx, { category, ...options }) =>
    await places.nearest(ctx, {
      ...options,
      filter: category === undefined ? undefined : (q) => q.eq("category", category),
    }),
});
export const within = query({
  args: { rectangle, limit: v.optional(v.number()), cursor: v.optional(v.string()), below: v.optional(v.number()) },
  handler: async (ctx, { rectangle, limit, cursor, below }) =>
    await places.query(
      ctx,
      {
        shape: { type: "rectangle", rectangle },
        limit,
        filter: below === undefined ? undefined : (q) => q.gte("sortKey", 0).lt("sortKey", below),
      },
      cursor,
    ),
});
