// The functions by their names, with the types that Parabola has written for them.
import { anyApi, type FunctionReturnType } from "convex/server";
import type { api as functions } from "../../convex/_generated/api";

export const api = anyApi as unknown as typeof functions;

/** One result of a search. */
export type Found = FunctionReturnType<typeof api.articles.search>[number];
