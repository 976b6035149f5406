import { useMutation, useQuery } from "convex/react";
import { ConvexError } from "convex/values";
import { useRef, useState } from "react";
import { api, type Id } from "./api";

const BEAT_MS = 2000;

export function Composer({ channel, name }: { channel: Id<"channels">; name: string }) {
  const send = useMutation(api.messages.send);
  const beat = useMutation(api.presence.beat);
  const upload = useMutation(api.files.upload);
  const typing = useQuery(api.presence.typing, { channel }) ?? [];
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const lastBeat = useRef(0);

  function type(text: string) {
    setText(text);
    if (text === "" || Date.now() - lastBeat.current < BEAT_MS) return;
    lastBeat.current = Date.now();
    void beat({ channel });
  }

  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      setError("");
      return true;
    } catch (error) {
      setError(error instanceof ConvexError ? String(error.data) : String(error));
      return false;
    }
  }

  async function say(text: string) {
    lastBeat.current = 0;
    // What was refused comes back, to be mended; unless something else has been written meanwhile.
    if (!(await attempt(() => send({ channel, text })))) setText((newer) => newer || text);
  }

  async function attach(file: File) {
    const url = await upload();
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    const response = await fetch(url, { method: "POST", headers, body: file });
    if (!response.ok) throw new Error(`The upload failed: ${await response.text()}`);
    const { storageId } = await response.json();
    await send({ channel, text: "", file: { id: storageId, name: file.name } });
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        if (!text.trim()) return;
        setText("");
        void say(text);
      }}
    >
      <p className="status" role="status">
        {error ? (
          <span className="error">{error}</span>
        ) : (
          typing.length > 0 && `${typing.join(", ")} ${typing.length > 1 ? "are" : "is"} typing…`
        )}
      </p>
      <label className="attach" title="Attach a file">
        +
        <input
          type="file"
          aria-label="Attach a file"
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = "";
            if (file) void attempt(() => attach(file));
          }}
        />
      </label>
      <input
        aria-label="Message"
        placeholder={`Message #${name}, /weather Oslo or /remind 10m tea`}
        value={text}
        onChange={(event) => type(event.target.value)}
      />
      <button className="primary">Send</button>
    </form>
  );
}
