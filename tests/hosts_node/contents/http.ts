import { httpActionGeneric, httpRouter } from "convex/server";
import { DOORS, contentOf } from "./doors";

const RESPONSES: Record<string, (it: any) => Response> = {
  body: (it) => new Response(it),
  status: (it) => new Response("", { status: it }),
  statusText: (it) => new Response("", { statusText: it }),
  headerName: (it) => new Response("", { headers: { [it]: "x" } }),
  headerValue: (it) => new Response("", { headers: { x: it } }),
  redirect: (it) => Response.redirect(it),
  json: (it) => Response.json(it),
  response: (it) => it,
};
const http = httpRouter();
http.route({
  path: "/",
  method: "POST",
  handler: httpActionGeneric(async (ctx, request) => {
    const given = await request.json();
    const it = contentOf(given);
    if (Object.hasOwn(RESPONSES, given.door)) return RESPONSES[given.door](it);
    await DOORS[given.door](ctx, it);
    return new Response("done");
  }),
});
export default http;
