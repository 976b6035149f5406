import { corsRouter } from "convex-helpers/server/cors";
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";
import { auth } from "./auth";

const http = httpRouter();
auth.addHttpRoutes(http);
corsRouter(http, { allowedOrigins: ["https://app.example"] }).route({
  path: "/echo",
  method: "POST",
  handler: httpAction(async (_ctx, request) => new Response(await request.text())),
});

export default http;
