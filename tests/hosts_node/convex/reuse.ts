import { queryGeneric as query } from "convex/server";

export const experimental_reuseContext = true;
let count = 0;
export const counter = query({ handler: async () => ++count });
