// Messages that begin with a slash: `/weather Oslo`, `/remind 10m stand up`.
import { ConvexError, v } from "convex/values";
import { internal } from "./_generated/api";
import type { Id } from "./_generated/dataModel";
import { internalAction, type MutationCtx } from "./_generated/server";

const UNITS_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Begin what the command asks for; its answer is a message of its own. */
export async function obey(ctx: MutationCtx, channel: Id<"channels">, author: string, text: string) {
  const weather = /^\/weather (.+)$/.exec(text);
  if (weather) {
    await ctx.scheduler.runAfter(0, internal.commands.weather, { channel, city: weather[1]! });
    return;
  }
  const remind = /^\/remind (\d+)([smh]?) (.+)$/.exec(text);
  if (!remind) throw new ConvexError("Commands: /weather CITY, /remind 10m TEXT");
  const delay = Number(remind[1]) * UNITS_MS[remind[2] || "m"]!;
  const message = { channel, author: "reminder", text: `@${author}: ${remind[3]}` };
  await ctx.scheduler.runAfter(delay, internal.messages.post, message);
}

/** Ask the weather service. Actions may do what takes long. */
export const weather = internalAction({
  args: { channel: v.id("channels"), city: v.string() },
  handler: async (ctx, { channel, city }) => {
    let text: string;
    try {
      const response = await fetch(`${process.env.WEATHER_URL}?${new URLSearchParams({ city })}`);
      const report = await response.json();
      text = `${report.city}: ${report.sky}, ${report.celsius.toFixed(0)} °C`;
    } catch (error) {
      text = `No weather for ${city}: ${error}`;
    }
    await ctx.runMutation(internal.messages.post, { channel, author: "weather", text });
  },
});
