import { useState } from "react";
import { session, useProblem } from "./session";

export function SignIn() {
  const [name, setName] = useState("");
  const problem = useProblem();
  return (
    <form
      className="card sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) session.name = name.trim();
      }}
    >
      <h1>Chat</h1>
      <p>Any name will do: the local issuer believes everybody.</p>
      <input
        aria-label="Your name"
        placeholder="Your name"
        value={name}
        autoFocus
        onChange={(event) => setName(event.target.value)}
      />
      <button className="primary">Sign in</button>
      {problem && (
        <p className="error" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
