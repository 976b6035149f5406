import { v } from "convex/values";
import { R2, type R2Callbacks } from "@convex-dev/r2";
import { components, internal } from "./_generated/api";
import type { DataModel } from "./_generated/dataModel";
import { action, mutation, query } from "./_generated/server";

const r2 = new R2(components.r2);
const callbacks: R2Callbacks = internal.files;

export const { generateUploadUrl, syncMetadata, getMetadata, listMetadata, deleteObject, onSyncMetadata } =
  r2.clientApi<DataModel>({
    callbacks,
    onUpload: async (ctx, bucket, key) => {
      await ctx.db.insert("told", { what: `upload ${bucket} ${key}` });
    },
    onDelete: async (ctx, bucket, key) => {
      await ctx.db.insert("told", { what: `delete ${bucket} ${key}` });
    },
    onSyncMetadata: async (ctx, { bucket, key, isNew }) => {
      await ctx.db.insert("told", { what: `sync ${bucket} ${key} ${isNew}` });
    },
  });
export const store = action({
  args: { text: v.string(), key: v.string() },
  handler: async (ctx, { text, key }) =>
    await r2.store(ctx, new Blob([text], { type: "text/plain" }), { key, cacheControl: "max-age=3600" }),
});
export const url = query({ args: { key: v.string() }, handler: async (_ctx, { key }) => await r2.getUrl(key) });
export const remove = mutation({
  args: { key: v.string() },
  handler: async (ctx, { key }) => await r2.deleteObject(ctx, key),
});
export const told = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("told").collect()).map(({ what }) => what),
});
