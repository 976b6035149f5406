"""`POST /webhook` on the site port: how other programs say something::

curl http://127.0.0.1:3211/webhook -H "X-Secret: change-me" \\
    -d '{"channel": "general", "author": "CI", "text": "green"}'
"""

import hmac

from parabola import Request, Response, env, http_router

from ._generated.server import ActionCtx, internal

http = http_router()


@http.route(path="/webhook", method="POST")
async def webhook(ctx: ActionCtx, request: Request) -> Response:
    if not hmac.compare_digest(request.headers.get("x-secret", ""), env["WEBHOOK_SECRET"]):
        return Response("wrong secret", status=401)
    said = await request.json()
    known = await ctx.run_mutation(
        internal.messages.receive,
        {"channel": str(said["channel"]), "author": str(said["author"]), "text": str(said["text"])},
    )
    return Response(status=204) if known else Response("no such channel", status=404)
