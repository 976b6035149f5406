import { useCallback, useState } from "react";
import { ConvexError } from "convex/values";

/** An edit under way, and what the server said against it. */
export interface EditState {
  isRunning: boolean;
  problem: string | null;
  /** Run an edit; whether it was made. */
  run: (edit: () => Promise<unknown>) => Promise<boolean>;
  clear: () => void;
}

export function useEdit(): EditState {
  const [isRunning, setIsRunning] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const run = useCallback(async (edit: () => Promise<unknown>) => {
    setIsRunning(true);
    setProblem(null);
    try {
      const answer = await edit();
      const refusal = answer as { success?: boolean; error?: string } | null | undefined;
      if (refusal?.success === false) {
        setProblem(refusal.error ?? "The server refused it.");
        return false;
      }
      return true;
    } catch (error) {
      setProblem(said(error));
      return false;
    } finally {
      setIsRunning(false);
    }
  }, []);
  const clear = useCallback(() => setProblem(null), []);
  return { isRunning, problem, run, clear };
}

/** What an error of the server says, without the words that the client puts around it. */
export function said(error: unknown): string {
  if (error instanceof ConvexError && typeof error.data === "string") return error.data;
  const text = error instanceof Error ? error.message : String(error);
  return (
    text
      .replace(/^\[CONVEX [^\]]*\]\s*/, "")
      .replace(/^\[Request ID: \w+\]\s*/, "")
      .replace(/^Server Error\s*/, "")
      .trim() || text
  );
}
