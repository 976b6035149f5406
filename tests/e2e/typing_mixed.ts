// Not run: type-checked against the declarations written beside TypeScript functions.
import type { ActionCtx } from "./types";
import { api, internal } from "./convex/python.generated";

export async function use(ctx: ActionCtx) {
  const mood: { score: number; words: number } = await ctx.runAction(internal.mood.analyse, { text: "x" });
  // @ts-expect-error the argument has the wrong type
  await ctx.runAction(internal.mood.analyse, { text: 1 });
  // @ts-expect-error it is internal
  api.mood.analyse;
  return mood;
}
