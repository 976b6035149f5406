import { usePaginatedQuery } from "convex/react";
import { api, type Id } from "./api";

const PAGE = 15;
const IMAGE = /\.(png|jpe?g|gif|webp|svg)$/i;

export function Messages({ channel }: { channel: Id<"channels"> }) {
  const { results, status, loadMore } = usePaginatedQuery(api.messages.list, { channel }, { initialNumItems: PAGE });
  // The newest comes first, and the list is drawn from the bottom up: it stays at its end by itself.
  return (
    <ol className="messages" aria-label="Messages">
      {results.map((message) => (
        <li key={message._id} className={message.kind}>
          <span className="avatar" style={{ "--hue": hue(message.author) } as React.CSSProperties}>
            {message.author[0]}
          </span>
          <div>
            <b>{message.author}</b>
            {message.kind !== "person" && <em>{message.kind}</em>}
            <time>
              {new Date(message._creationTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
            </time>
            {message.text && <p>{message.text}</p>}
            {message.file?.url && <Attachment name={message.file.name} url={message.file.url} />}
          </div>
        </li>
      ))}
      {status === "CanLoadMore" && (
        <li className="more">
          <button onClick={() => loadMore(PAGE)}>Earlier messages</button>
        </li>
      )}
      {status === "Exhausted" && <li className="more">This is where the channel begins.</li>}
    </ol>
  );
}

function Attachment({ name, url }: { name: string; url: string }) {
  return (
    <a href={url} target="_blank" className="attachment">
      {IMAGE.test(name) ? <img src={url} alt={name} /> : name}
    </a>
  );
}

function hue(name: string) {
  return ([...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) * 47) % 360;
}
