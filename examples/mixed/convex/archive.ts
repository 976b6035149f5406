"use node";

import { gunzipSync } from "node:zlib";
import { v } from "convex/values";
import { z } from "zod";
import { api } from "./_generated/api";
import { action } from "./_generated/server";

const Archive = z.array(z.object({ text: z.string().trim().min(1) })).max(100);

/** Adds the reviews of an archive: JSON, compressed by gzip, in base64. Node.js unpacks it, and zod checks it. */
export const load = action({
  args: { archive: v.string() },
  handler: async (ctx, { archive }): Promise<number> => {
    const reviews = Archive.parse(JSON.parse(gunzipSync(Buffer.from(archive, "base64")).toString()));
    for (const { text } of reviews) await ctx.runMutation(api.reviews.add, { text });
    return reviews.length;
  },
});
