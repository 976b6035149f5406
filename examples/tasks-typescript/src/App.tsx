import { useState } from "react";
import { useMutation, useQuery } from "convex/react";
import { api } from "../convex/_generated/api";

export function App() {
  const tasks = useQuery(api.tasks.list, { limit: 20 });
  const create = useMutation(api.tasks.create);
  const toggle = useMutation(api.tasks.toggle);
  const [text, setText] = useState("");

  return (
    <main>
      <h1>Tasks</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) void create({ text: text.trim() });
          setText("");
        }}
      >
        <input aria-label="New task" value={text} onChange={(event) => setText(event.target.value)} />
        <button>Add</button>
      </form>
      {tasks === undefined ? (
        <p>Loading…</p>
      ) : (
        <ul aria-label="Tasks">
          {tasks.map((task) => (
            <li key={task._id}>
              <label>
                <input type="checkbox" checked={task.completed} onChange={() => void toggle({ id: task._id })} />
                {task.text}
              </label>
            </li>
          ))}
        </ul>
      )}
    </main>
  );
}
