from ._generated.server import (
    ActionCtx,
    Request,
    Response,
    SyncActionCtx,
    SyncRequest,
    http_action,
    http_router,
    internal,
)

http = http_router()


@http.route(path="/webhook", method="POST")
async def webhook(ctx: ActionCtx, request: Request) -> Response:
    said = await request.json()
    await ctx.run_mutation(internal.lib.people.greet, {"name": str(said["name"])})
    return Response.json({"ok": True}, status=201)


@http.route(path_prefix="/files/", method="GET")
def serve(ctx: SyncActionCtx, request: SyncRequest) -> Response:
    ctx.run_mutation(internal.notes.clean)
    return Response(status=204)


@http_action
async def hook(ctx: ActionCtx, request: Request) -> Response:
    return Response(request.url)


http.route(path="/hook", method="POST", handler=hook)
