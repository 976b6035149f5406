/**
 * What the deployment answers over HTTP to the holder of an admin key; null where it has nothing to say. Throws in the
 * server's words.
 */
export async function request<Answer>(key: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const text = await (await answered(await fetch(path, withKey(key, init)))).text();
  return (text === "" ? null : JSON.parse(text)) as Answer;
}

/** The same for what is no JSON, such as an archive. */
export async function requestBlob(key: string, path: string): Promise<Blob> {
  return (await answered(await fetch(path, withKey(key, {})))).blob();
}

/**
 * As `request`, for a file that may be large: `onSent` is told how much of it has left, of one. Only this old way of asking
 * tells that.
 */
export function upload<Answer>(
  key: string,
  path: string,
  file: Blob,
  onSent: (share: number) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = new XMLHttpRequest();
    asking.open("POST", path);
    asking.setRequestHeader("Authorization", `Convex ${key}`);
    asking.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    asking.onerror = () => reject(new Error("The server does not answer. Nothing was imported, or all of it was."));
    asking.onload = () => {
      const answer = new Response(asking.responseText, { status: asking.status });
      answered(answer)
        .then((good) => good.json() as Promise<Answer>)
        .then(resolve, reject);
    };
    asking.send(file);
  });
}

/** The answer, if it is a good one. Throws an error with what the server says otherwise. */
export async function answered(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const told = (await answer.json().catch(() => null)) as { message?: string } | null;
  throw new Error(told?.message ?? `The server answered with status ${answer.status}.`);
}

function withKey(key: string, init: RequestInit): RequestInit {
  return { ...init, headers: { ...init.headers, Authorization: `Convex ${key}` } };
}
