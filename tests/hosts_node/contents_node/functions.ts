"use node";
import { actionGeneric } from "convex/server";
import { args, contentOf, handler } from "../contents/doors";

export const action = actionGeneric({ args, handler });
const raw = async (_: string, given: string) => contentOf(JSON.parse(given)[0]);
export const rawAction: any = Object.assign(() => null, { isAction: true, isPublic: true, invokeAction: raw });
export const fine = actionGeneric({ args: {}, handler: async () => "fine" });
