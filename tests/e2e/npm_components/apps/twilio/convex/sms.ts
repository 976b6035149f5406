import { v } from "convex/values";
import { Twilio, messageValidator } from "@convex-dev/twilio";
import { components, internal } from "./_generated/api";
import { internalAction, internalMutation, query } from "./_generated/server";

export const twilio = new Twilio(components.twilio, { defaultFrom: process.env.TWILIO_PHONE_NUMBER! });
twilio.incomingMessageCallback = internal.sms.hear;

export const hear = internalMutation({
  args: { message: messageValidator },
  handler: async (ctx, { message }) => {
    if (message.body === "refused") throw new Error("not this one");
    await ctx.db.insert("heard", { body: message.body, from: message.from });
  },
});
export const heard = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("heard").collect()).map(({ body, from }) => ({ body, from })),
});
export const send = internalAction({
  args: { body: v.string() },
  handler: async (ctx, { body }) => (await twilio.sendMessage(ctx, { to: "+14158675309", body })).sid,
});
export const register = internalAction({
  args: {},
  handler: async (ctx) => await twilio.registerIncomingSmsHandler(ctx, { sid: "PN1" }),
});
export const list = query({
  args: {},
  handler: async (ctx) => ({
    all: (await twilio.list(ctx)).length,
    incoming: (await twilio.listIncoming(ctx)).map(({ body }) => body),
    outgoing: (await twilio.listOutgoing(ctx)).map(({ body }) => body),
  }),
});
export const get = query({
  args: { sid: v.string() },
  handler: async (ctx, { sid }) => await twilio.getMessageBySid(ctx, { sid }),
});
