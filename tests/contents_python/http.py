"""HTTP actions: the doors of an action, and those of a response."""

import inspect

from parabola import Response, http_router

from .doors import DOORS, content_of


async def pieces(it):
    yield it


def changed(it):
    response = Response("x")
    response.headers.pairs.append((it, it))
    return response


def restated(it):
    response = Response("x")
    response.status = it
    return response


RESPONSES = {
    "body": lambda it: Response(it),
    "chunks": lambda it: Response(pieces(it)),
    "status": lambda it: Response("", status=it),
    "restated": restated,
    "headerName": lambda it: Response("", headers={it: "x"}),
    "headerValue": lambda it: Response("", headers={"x": it}),
    "changed": changed,
    "redirect": lambda it: Response.redirect(it),
    "json": lambda it: Response.json(it),
    "response": lambda it: it,
}

http = http_router()


@http.route(path="/contents", method="POST")
async def contents(ctx, request):
    given = await request.json()
    it = content_of(given.get("content"), given.get("value"))
    if given["door"] in RESPONSES:
        return RESPONSES[given["door"]](it)
    sent = DOORS[given["door"]](ctx, it)
    if inspect.isawaitable(sent):
        await sent
    return Response("done")
