import { Component, type ReactNode } from "react";
import { Button } from "./button";

/** Said while something is on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="animate-pulse p-6 text-quiet">
      Loading {what}…
    </p>
  );
}

/** Said where there is nothing yet: what would be here, and how it gets here. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <p className="font-medium">{title}</p>
      {children !== undefined && <div className="max-w-prose text-quiet">{children}</div>}
    </div>
  );
}

/** An error in the server's words. */
export function Problem({ children }: { children: ReactNode }) {
  return (
    <p role="alert" className="rounded-md bg-bad-surface px-3 py-2 whitespace-pre-wrap text-bad">
      {children}
    </p>
  );
}

/** Shows what broke in a page, and leaves the others usable. It starts anew with another `of`. */
export class Guarded extends Component<{ of: string; children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidUpdate(before: { of: string }) {
    if (before.of !== this.props.of) this.setState({ error: null });
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className="flex flex-col items-start gap-3 p-6">
        <Problem>{error.message}</Problem>
        <Button onClick={() => this.setState({ error: null })}>Try again</Button>
      </div>
    );
  }
}
