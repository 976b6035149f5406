import { v } from "convex/values";
import {
  internalActionGeneric as internalAction,
  internalMutationGeneric as internalMutation,
  internalQueryGeneric as internalQuery,
} from "convex/server";

export const effect = internalMutation({
  args: { number: v.number() },
  handler: async (ctx, { number }) => {
    await ctx.db.insert("traces", { of: "twin", number });
  },
});

const lookAt = async (ctx: any, id: any): Promise<any> => {
  const blob: Blob = await ctx.storage.get(id);
  return { text: await blob.text(), type: blob.type, url: await ctx.storage.getUrl(id) };
};

/** What a mutation can do with files. */
export const filesInMutation = internalMutation({
  args: {},
  handler: async (ctx) => {
    const storage = ctx.storage as any;
    const id = await storage.store(new Blob(["kept"], { type: "text/kept" }));
    const untyped = await storage.store(new Blob(["x"]));
    const found = await lookAt(ctx, id);
    const rows = [await ctx.db.system.get(id), await ctx.db.system.get(untyped)];
    const metadata = await ctx.storage.getMetadata(id);
    await ctx.storage.delete(id);
    await ctx.storage.delete(untyped);
    return {
      ...found,
      rows,
      metadata,
      gone: await ctx.storage.getUrl(id),
      upload: await ctx.storage.generateUploadUrl(),
    };
  },
});

/** What an action can do with files; the large one takes several messages. */
export const filesInAction = internalAction({
  args: { size: v.number(), digest: v.string() },
  handler: async (ctx, { size, digest }) => {
    const content = new Uint8Array(size).fill(7);
    const id = await ctx.storage.store(new Blob([content], { type: "large/file" }), { sha256: digest });
    const blob = (await ctx.storage.get(id))!;
    const same = new Uint8Array(await blob.arrayBuffer()).every((byte) => byte === 7);
    const refusals: string[] = [];
    for (const attempt of [
      () => ctx.storage.store(new Blob(["other"]), { sha256: digest }),
      () => ctx.storage.getUrl("nonsense" as any),
      () => ctx.storage.delete(id).then(() => ctx.storage.delete(id)),
    ]) {
      await attempt().then(
        () => refusals.push("none"),
        (error: Error) => refusals.push(error.message),
      );
    }
    return { same, size: blob.size, type: blob.type, refusals, gone: await ctx.storage.get(id) };
  },
});

/** What a query can. */
export const filesInQuery = internalQuery({
  args: {},
  handler: async (ctx) => Object.keys(ctx.storage).sort(),
});
