import { actionGeneric as action, queryGeneric as query } from "convex/server";
import { everywhere, inActions, outcome } from "../web_apis/probes.mjs";

/** Takes a list of programs, and gives the outcomes of those. */
const run = async (programs: Record<string, any>, names: string[], url: string) => {
  const outcomes: Record<string, string> = {};
  for (const name of names) outcomes[name] = await outcome(programs[name], url);
  return outcomes;
};

export const inQuery = query({ handler: async (_: any, { names }: any) => await run(everywhere, names, "") });
export const inAction = action({ handler: async (_: any, { names, url }: any) => await run(inActions, names, url) });
export const names = query({ handler: async () => [Object.keys(everywhere), Object.keys(inActions)] });
