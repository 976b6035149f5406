import { type FormEvent, useId, useState } from "react";
import { Button } from "../parts/button";

/** The form that asks for an admin key. `refusal` says why the last one was not taken. */
export function SignIn({ refusal, onKey }: { refusal: string | null; onKey: (key: string) => void }) {
  const [typed, setTyped] = useState("");
  const field = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() !== "") onKey(typed.trim());
  };
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-6 p-6">
      <div className="flex items-center gap-3">
        <img src="/dashboard/mark.svg" alt="" width="36" height="36" />
        <h1 className="text-2xl font-semibold">Parabola</h1>
      </div>
      <form onSubmit={submit} className="flex flex-col gap-3">
        <label htmlFor={field} className="font-medium">
          Admin key of this deployment
        </label>
        <input
          id={field}
          type="password"
          autoComplete="off"
          autoFocus
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          aria-describedby={`${field}-help`}
          className="rounded-md border border-line bg-surface px-3 py-2 font-mono"
        />
        {refusal !== null && (
          <p role="alert" className="rounded-md bg-bad-surface px-3 py-2 text-bad">
            {refusal}
          </p>
        )}
        <Button kind="primary" type="submit" disabled={typed.trim() === ""}>
          Open the dashboard
        </Button>
        <p id={`${field}-help`} className="text-quiet">
          <code className="font-mono">parabola admin-key</code> prints one, on the machine that has the instance's
          secret; with <code className="font-mono">--read-only</code> one that changes nothing. It stays in this tab.
        </p>
      </form>
    </main>
  );
}
