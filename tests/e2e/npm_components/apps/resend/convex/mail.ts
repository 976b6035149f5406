import { v } from "convex/values";
import { Resend, vEmailId, vOnEmailEventArgs, type EmailId } from "@convex-dev/resend";
import { components, internal } from "./_generated/api";
import { internalMutation, mutation, query } from "./_generated/server";

export const resend: Resend = new Resend(components.resend, {
  onEmailEvent: internal.mail.onEvent,
  initialBackoffMs: 50,
});

export const onEvent = internalMutation({
  args: vOnEmailEventArgs,
  handler: async (ctx, { id, event }) => {
    await ctx.db.insert("told", { id, type: event.type });
  },
});
export const told = query({
  args: { id: v.string() },
  handler: async (ctx, { id }) =>
    (await ctx.db.query("told").collect()).filter((each) => each.id === id).map(({ type }) => type),
});
export const send = mutation({
  args: { subject: v.string(), to: v.optional(v.string()), key: v.optional(v.string()) },
  handler: async (ctx, { subject, to, key }): Promise<string> =>
    await resend.sendEmail(ctx, {
      from: "Me <test@mydomain.com>",
      to: to ?? "delivered@resend.dev",
      subject,
      html: `<p>${subject}</p>`,
      idempotencyKey: key,
    }),
});
export const status = query({ args: { id: vEmailId }, handler: async (ctx, { id }) => await resend.status(ctx, id) });
export const cancel = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => {
    await resend.cancelEmail(ctx, id as EmailId);
  },
});
