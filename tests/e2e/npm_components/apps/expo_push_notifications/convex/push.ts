import { v } from "convex/values";
import { PushNotifications } from "@convex-dev/expo-push-notifications";
import { components } from "./_generated/api";
import { mutation, query } from "./_generated/server";

const notifications = new PushNotifications<string>(components.pushNotifications, { logLevel: "DEBUG" });
const user = { userId: v.string() };

export const record = mutation({
  args: { ...user, pushToken: v.string() },
  handler: async (ctx, args) => await notifications.recordToken(ctx, args),
});
export const send = mutation({
  args: { ...user, title: v.string(), allowUnregisteredTokens: v.optional(v.boolean()) },
  handler: async (ctx, { title, ...args }) =>
    await notifications.sendPushNotification(ctx, { ...args, notification: { title, data: { title } } }),
});
export const get = query({
  args: { id: v.string() },
  handler: async (ctx, args) => await notifications.getNotification(ctx, args),
});
export const status = query({
  args: user,
  handler: async (ctx, args) => await notifications.getStatusForUser(ctx, args),
});
export const pause = mutation({
  args: user,
  handler: async (ctx, args) => await notifications.pauseNotificationsForUser(ctx, args),
});
export const resume = mutation({
  args: user,
  handler: async (ctx, args) => await notifications.unpauseNotificationsForUser(ctx, args),
});
export const shutdown = mutation({ args: {}, handler: async (ctx) => await notifications.shutdown(ctx) });
export const restart = mutation({ args: {}, handler: async (ctx) => await notifications.restart(ctx) });
