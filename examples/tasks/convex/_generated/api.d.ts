/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import type { FunctionReference } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

/** References to the public functions: `api.module.function`. */
export declare const api: {
  tasks: {
    list: FunctionReference<
      "query",
      "public",
      { limit?: number | null },
      Array<Doc<"tasks">>
    >;
    page: FunctionReference<
      "query",
      "public",
      {
        paginationOpts: {
          numItems: number;
          cursor: string | null;
          endCursor?: string | null;
          id?: number;
          maximumRowsRead?: number;
          maximumBytesRead?: number;
        };
      },
      {
        page: Array<Doc<"tasks">>;
        isDone: boolean;
        continueCursor: string;
        splitCursor?: string | null;
        pageStatus?: "SplitRecommended" | "SplitRequired" | null;
      }
    >;
    summary: FunctionReference<
      "query",
      "public",
      Record<string, never>,
      { open: number; done: number }
    >;
    create: FunctionReference<
      "mutation",
      "public",
      { text: string },
      Id<"tasks">
    >;
    toggle: FunctionReference<
      "mutation",
      "public",
      { id: Id<"tasks"> },
      null
    >;
    remove: FunctionReference<
      "mutation",
      "public",
      { id: Id<"tasks"> },
      null
    >;
    clear_completed: FunctionReference<
      "mutation",
      "public",
      Record<string, never>,
      number
    >;
  };
};

/** References to every function that only other functions may call. */
export declare const internal: {
  sample: {
    load: FunctionReference<
      "mutation",
      "internal",
      Record<string, never>,
      number
    >;
  };
};
