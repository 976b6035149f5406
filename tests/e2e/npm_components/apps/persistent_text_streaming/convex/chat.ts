import { PersistentTextStreaming, type StreamId, StreamIdValidator } from "@convex-dev/persistent-text-streaming";
import { components } from "./_generated/api";
import { httpAction, mutation, query } from "./_generated/server";

const streaming = new PersistentTextStreaming(components.persistentTextStreaming);

export const create = mutation({ args: {}, handler: async (ctx) => await streaming.createStream(ctx) });
export const body = query({
  args: { streamId: StreamIdValidator },
  handler: async (ctx, { streamId }) => await streaming.getStreamBody(ctx, streamId as StreamId),
});
export const remove = mutation({
  args: { streamId: StreamIdValidator },
  handler: async (ctx, { streamId }) => await streaming.deleteStream(ctx, streamId as StreamId),
});
export const stream = httpAction(async (ctx, request) => {
  const { streamId, fails } = await request.json();
  const response = await streaming.stream(ctx, request, streamId, async (_ctx, _request, _id, append) => {
    await append("Hi there! ");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await append("How are ");
    if (fails) throw new Error("out of words");
    await append("you? ");
    await append("Bye");
  });
  response.headers.set("Access-Control-Allow-Origin", "*");
  return response;
});
