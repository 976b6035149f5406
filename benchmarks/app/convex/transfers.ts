// The functions of transfer.py, in TypeScript.
import { v } from "convex/values";
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

const number = v.number();

export const open = mutation({
  args: { first: number, count: number, balance: number },
  handler: async (ctx, { first, count, balance }) => {
    for (let number = first; number < first + count; number++) await ctx.db.insert("accounts", { number, balance });
  },
});

export const move = mutation({
  args: { payer: number, payee: number, amount: number },
  handler: async (ctx, { payer, payee, amount }) => {
    const account = (number: number) =>
      ctx.db
        .query("accounts")
        .withIndex("by_number", (q) => q.eq("number", number))
        .unique();
    const [source, target] = [await account(payer), await account(payee)];
    await ctx.db.patch(source!._id, { balance: source!.balance - amount });
    await ctx.db.patch(target!._id, { balance: target!.balance + amount });
  },
});

export const count = query({ args: {}, handler: async (ctx) => (await ctx.db.query("accounts").take(1)).length });

export const total = query({
  args: { first: number, count: number },
  handler: async (ctx, { first, count }) => {
    const accounts = await ctx.db
      .query("accounts")
      .withIndex("by_number", (q) => q.gte("number", first).lt("number", first + count))
      .collect();
    return accounts.reduce((total, account) => total + account.balance, 0);
  },
});
