// The functions by their names, which are the same in the Python and the TypeScript version.
import { anyApi } from "convex/server";

export const api = anyApi;

export interface Channel {
  _id: string;
  name: string;
}

export interface Message {
  _id: string;
  _creationTime: number;
  author: string;
  kind: "person" | "command" | "webhook";
  text: string;
  file?: { name: string; url: string | null };
}
