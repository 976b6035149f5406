import { httpActionGeneric as httpAction, httpRouter } from "convex/server";

const http = httpRouter();
http.route({
  path: "/hello",
  method: "GET",
  handler: httpAction(async () => new Response("hi", { headers: { "x-a": "b" } })),
});
http.route({
  path: "/echo",
  method: "POST",
  handler: httpAction(async (_ctx, request) => {
    const text = await request.text();
    return Response.json(
      { text, method: request.method, url: request.url, header: request.headers.get("x-in") },
      { status: 201 },
    );
  }),
});
http.route({
  pathPrefix: "/status/",
  method: "GET",
  handler: httpAction(async (_ctx, request) => {
    const status = Number(new URL(request.url).pathname.split("/")[2]);
    return new Response("nothing", { status });
  }),
});
http.route({
  pathPrefix: "/stream/",
  method: "GET",
  handler: httpAction(async (ctx: any) => {
    let n = 0;
    const body = new ReadableStream({
      async pull(controller) {
        n += 1;
        if (n === 3) return controller.close();
        const rows = await ctx.runQuery("documents:list", {});
        controller.enqueue(new TextEncoder().encode(`${n}:${rows.length};`));
      },
    });
    return new Response(body);
  }),
});
http.route({
  path: "/boom",
  method: "GET",
  handler: httpAction(async () => {
    throw new Error("boom");
  }),
});
http.route({ path: "/wrong", method: "GET", handler: httpAction(async () => "text" as any) });
http.route({
  path: "/gone",
  method: "POST",
  handler: httpAction(async (_ctx, request) => {
    await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
    return new Response("noticed");
  }),
});
http.route({
  path: "/shout",
  method: "POST",
  handler: httpAction(async (_ctx, request) => {
    const loud = new TransformStream({
      transform: (chunk, controller) =>
        controller.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase())),
    });
    return new Response(request.body!.pipeThrough(loud));
  }),
});
const produced: number[] = [];
http.route({
  path: "/many",
  method: "GET",
  handler: httpAction(async (ctx: any) => {
    const body = new ReadableStream({
      async pull(controller) {
        if (produced.push(0) > 100) return controller.close();
        await ctx.runQuery("documents:list", {});
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    return new Response(body);
  }),
});
http.route({
  path: "/half",
  method: "POST",
  handler: httpAction(async () => {
    let calls = 0;
    const body = new ReadableStream({
      pull(controller) {
        calls += 1;
        if (calls > 1) throw new Error("no more");
        controller.enqueue(new TextEncoder().encode("half"));
      },
    });
    return new Response(body);
  }),
});
http.route({
  path: "/cut",
  method: "POST",
  handler: httpAction(async (_ctx, request) => {
    const reason = await request.text().catch((error) => error.message);
    return new Response(`${reason} ${request.signal.aborted}`);
  }),
});
export default http;
