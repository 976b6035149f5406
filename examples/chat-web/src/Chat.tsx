import { useMutation, useQuery } from "convex/react";
import { useEffect, useState } from "react";
import { api, type Id } from "./api";
import { Composer } from "./Composer";
import { Messages } from "./Messages";
import { session, useName } from "./session";

export function Chat() {
  const name = useName();
  const channels = useQuery(api.channels.list);
  const create = useMutation(api.channels.create);
  const [chosen, choose] = useState<Id<"channels">>();
  const [draft, setDraft] = useState("");
  const channel = channels?.find((each) => each._id === chosen) ?? channels?.[0];

  const empty = channels?.length === 0;
  useEffect(() => {
    if (empty) void create({ name: "general" });
  }, [empty, create]);

  return (
    <main className="card chat">
      <nav>
        <h1>Chat</h1>
        <ul aria-label="Channels">
          {channels?.map((each) => (
            <li key={each._id}>
              <button title={each.name} aria-current={each === channel} onClick={() => choose(each._id)}>
                <i>#</i> {each.name}
              </button>
            </li>
          ))}
        </ul>
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const wanted = draft.replace(/^[\s#]+/, "");
            if (!wanted) return;
            setDraft("");
            choose(await create({ name: wanted }));
          }}
        >
          <input
            aria-label="New channel"
            placeholder="+ new channel"
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
          />
        </form>
        <footer>
          <b>{name}</b>
          <button onClick={() => (session.name = null)}>Sign out</button>
        </footer>
      </nav>
      {channel && (
        <section key={channel._id}>
          <header># {channel.name}</header>
          <Messages channel={channel._id} />
          <Composer channel={channel._id} name={channel.name} />
        </section>
      )}
    </main>
  );
}
