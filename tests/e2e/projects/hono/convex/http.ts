import { Hono } from "hono";
import { type HonoWithConvex, HttpRouterWithHono } from "convex-helpers/server/hono";
import type { ActionCtx } from "./_generated/server";
import { httpAction } from "./_generated/server";

const app: HonoWithConvex<ActionCtx> = new Hono();
app.use("/users/*", async (c, next) => {
  await next();
  c.header("X-Seen-By", "middleware");
});
app.get("/users/:id", (c) => c.text(`user ${c.req.param("id")}`));
app.post("/users/:id/files/:name{.+\\.png}", async (c) =>
  c.text(`${c.req.param("id")} ${c.req.param("name")} ${await c.req.text()}`, 201),
);
app.notFound((c) => c.text("own 404", 404));

const http = new HttpRouterWithHono(app);
http.route({ path: "/plain", method: "GET", handler: httpAction(async () => new Response("plain")) });
http.route({
  pathPrefix: "/files/",
  method: "GET",
  handler: httpAction(async (_ctx, r) => new Response(new URL(r.url).pathname)),
});

export default http;
