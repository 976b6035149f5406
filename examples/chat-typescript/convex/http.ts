// `POST /webhook` on the site port: how other programs say something.
//
//     curl http://127.0.0.1:3211/webhook -H "X-Secret: change-me" \
//         -d '{"channel": "general", "author": "CI", "text": "green"}'
import { httpRouter } from "convex/server";
import { internal } from "./_generated/api";
import { httpAction } from "./_generated/server";

const http = httpRouter();

http.route({
  path: "/webhook",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    if (!process.env.WEBHOOK_SECRET || request.headers.get("x-secret") !== process.env.WEBHOOK_SECRET)
      return new Response("wrong secret", { status: 401 });
    const { channel, author, text } = await request.json();
    const message = { channel: String(channel), author: String(author), text: String(text) };
    const known = await ctx.runMutation(internal.messages.receive, message);
    return known ? new Response(null, { status: 204 }) : new Response("no such channel", { status: 404 });
  }),
});

export default http;
