import { useEffect, useState } from "react";
import { request } from "./requests";
import { useSession } from "../session/session";

/**
 * What the server says at a path that nothing can subscribe to, asked for again and again while the page is in view; and
 * what keeps it from saying it.
 */
export function usePolled<Answer>(
  path: string,
  everyMs: number,
): { answer: Answer | undefined; problem: string | null } {
  const { key } = useSession();
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        if (!document.hidden) {
          setAnswer(await request<Answer>(key, path, { signal: stop.signal }));
          setProblem(null);
        }
      } catch (error) {
        if (!stop.signal.aborted) setProblem((error as Error).message);
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void look(), everyMs);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, path, everyMs]);
  return { answer, problem };
}
