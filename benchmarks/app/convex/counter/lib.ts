// What twin.ts has of its own, in a component.
import { v } from "convex/values";
import { mutationGeneric as mutation } from "convex/server";

export const same = mutation({ args: { n: v.number() }, handler: async (_ctx, { n }) => n });
