// A React page on the official hooks: useQuery, usePaginatedQuery, and a mutation with an optimistic update.
import { ConvexProvider, ConvexReactClient, useMutation, usePaginatedQuery, useQuery } from "convex/react";
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { api } from "../../../examples/tasks/convex/_generated/api";
import type { Doc, Id } from "../../../examples/tasks/convex/_generated/dataModel";

const LIMIT = { limit: 5 };

function Page() {
  const tasks = useQuery(api.tasks.list, LIMIT);
  const pages = usePaginatedQuery(api.tasks.page, {}, { initialNumItems: 3 });
  const [text, setText] = useState("");
  const create = useMutation(api.tasks.create).withOptimisticUpdate((store, { text }) => {
    const shown = store.getQuery(api.tasks.list, LIMIT);
    if (shown === undefined) return;
    const pending: Doc<"tasks"> = { _id: "pending" as Id<"tasks">, _creationTime: 0, text, completed: false };
    store.setQuery(api.tasks.list, LIMIT, [pending, ...shown].slice(0, LIMIT.limit));
  });

  return (
    <main>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void create({ text });
          setText("");
        }}
      >
        <input aria-label="New task" value={text} onChange={(event) => setText(event.target.value)} />
        <button>Add</button>
      </form>
      <ul aria-label="Newest" data-loaded={tasks !== undefined}>
        {tasks?.map((task) => (
          <li key={task._id} data-pending={task._id === "pending"}>
            {task.text}
          </li>
        ))}
      </ul>
      <ol aria-label="Pages" data-status={pages.status}>
        {pages.results.map((task) => (
          <li key={task._id}>{task.text}</li>
        ))}
      </ol>
      <button onClick={() => pages.loadMore(3)} disabled={pages.status !== "CanLoadMore"}>
        Load more
      </button>
    </main>
  );
}

const client = new ConvexReactClient(location.origin);
createRoot(document.getElementById("root")!).render(
  <ConvexProvider client={client}>
    <Page />
  </ConvexProvider>,
);
