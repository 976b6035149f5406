import { httpRouter } from "convex/server";
import { registerRoutes } from "@convex-dev/stripe";
import { components, internal } from "./_generated/api";

const http = httpRouter();
registerRoutes(http, components.stripe, {
  webhookPath: "/stripe/webhook",
  onEvent: async (ctx, event) => {
    await ctx.runMutation(internal.log.add, { type: event.type });
  },
});
export default http;
