/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import type { FunctionReference } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

/** References to the public functions: `api.module.function`. */
export declare const api: {
  channels: {
    list: FunctionReference<
      "query",
      "public",
      Record<string, never>,
      Array<Doc<"channels">>
    >;
    create: FunctionReference<
      "mutation",
      "public",
      { name: string },
      Id<"channels">
    >;
  };
  files: {
    upload: FunctionReference<
      "mutation",
      "public",
      Record<string, never>,
      string
    >;
  };
  messages: {
    list: FunctionReference<
      "query",
      "public",
      {
        channel: Id<"channels">;
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
        page: Array<{
          _id: Id<"messages">;
          _creationTime: number;
          author: string;
          kind: "person" | "command" | "webhook";
          text: string;
          file?: { name: string; url: string | null };
        }>;
        isDone: boolean;
        continueCursor: string;
        splitCursor?: string | null;
        pageStatus?: "SplitRecommended" | "SplitRequired" | null;
      }
    >;
    send: FunctionReference<
      "mutation",
      "public",
      { channel: Id<"channels">; text: string; file?: { id: Id<"_storage">; name: string } | null },
      null
    >;
  };
  presence: {
    typing: FunctionReference<
      "query",
      "public",
      { channel: Id<"channels"> },
      Array<string>
    >;
    beat: FunctionReference<
      "mutation",
      "public",
      { channel: Id<"channels"> },
      null
    >;
  };
};

/** References to every function that only other functions may call. */
export declare const internal: {
  cleanup: {
    old: FunctionReference<
      "mutation",
      "internal",
      { days: number },
      number
    >;
  };
  commands: {
    weather: FunctionReference<
      "action",
      "internal",
      { channel: Id<"channels">; city: string },
      null
    >;
  };
  messages: {
    post: FunctionReference<
      "mutation",
      "internal",
      { channel: Id<"channels">; author: string; text: string },
      null
    >;
    receive: FunctionReference<
      "mutation",
      "internal",
      { channel: string; author: string; text: string },
      boolean
    >;
  };
  presence: {
    expire: FunctionReference<
      "mutation",
      "internal",
      { id: Id<"presence"> },
      null
    >;
  };
};
