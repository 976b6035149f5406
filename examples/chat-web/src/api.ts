// The functions by their names, which are the same in the Python and the TypeScript version. Their types are those that
// Parabola has written for the Python one.
import { anyApi } from "convex/server";
import type { api as functions } from "../../chat-python/convex/_generated/api";

export type { Id } from "../../chat-python/convex/_generated/dataModel";

export const api = anyApi as unknown as typeof functions;
