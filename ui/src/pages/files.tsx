import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import { Upload } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { answered } from "../deployment/requests";
import { type StoredFile, system } from "../deployment/system";
import { Button } from "../parts/button";
import { Confirm, Dialog } from "../parts/dialog";
import { More } from "../parts/more";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { sizeText, Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";

const PAGE = 50;

/** The stored files: look, add, remove. */
export default function Files() {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const files = usePaginatedQuery(system.files, { componentId, filters: {} }, { initialNumItems: PAGE });
  const count = useQuery(system.numberOfFiles, { componentId });
  const uploadUrl = useMutation(system.uploadUrl);
  const deleteFiles = useMutation(system.deleteFiles);
  const [shown, setShown] = useState<StoredFile | null>(null);
  const [doomed, setDoomed] = useState<StoredFile | null>(null);
  const { isRunning, problem, run } = useEdit();
  const picker = useRef<HTMLInputElement>(null);

  const upload = (chosen: FileList | null) =>
    run(async () => {
      for (const file of chosen ?? []) {
        const headers: Record<string, string> = file.type === "" ? {} : { "Content-Type": file.type };
        await answered(await fetch(await uploadUrl({ componentId }), { method: "POST", headers, body: file }));
      }
    });

  return (
    <>
      <PageHead name="Files">
        <span className="text-quiet">{count === undefined ? "" : `${count} in all`}</span>
        <input ref={picker} type="file" multiple hidden onChange={(event) => void upload(event.target.files)} />
        <Button disabled={readOnly || isRunning} onClick={() => picker.current?.click()}>
          <Upload size={16} aria-hidden /> {isRunning ? "Uploading…" : "Upload files"}
        </Button>
      </PageHead>
      {problem !== null && <Problem>{problem}</Problem>}
      {files.status === "LoadingFirstPage" ? (
        <Loading what="the files" />
      ) : files.results.length === 0 ? (
        <Empty title="No files are stored.">
          Functions store them with <code className="font-mono">ctx.storage</code>, clients by an upload URL.
        </Empty>
      ) : (
        <Table heads={["Id", "Type", "Size", "Stored", ""]} label="Files">
          {files.results.map((file) => (
            <tr key={file._id}>
              <td>
                <button type="button" className="font-mono text-accent underline" onClick={() => setShown(file)}>
                  {file._id}
                </button>
              </td>
              <td>{file.contentType ?? "–"}</td>
              <td className="whitespace-nowrap tabular-nums">{sizeText(file.size)}</td>
              <td>
                <Time ms={file._creationTime} />
              </td>
              <td className="text-right">
                <Button kind="danger" disabled={readOnly} onClick={() => setDoomed(file)}>
                  Remove
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <More status={files.status} onMore={() => files.loadMore(PAGE)} />
      {shown !== null && <Preview file={shown} onClose={() => setShown(null)} />}
      {doomed !== null && (
        <Confirm
          title="Remove this file?"
          verb="Remove"
          onClose={() => setDoomed(null)}
          onConfirm={() => void run(() => deleteFiles({ componentId, storageIds: [doomed._id] }))}
        >
          <p className="font-mono break-all">{doomed._id}</p>
          <p>Documents that name it keep its id, and its URL leads nowhere.</p>
        </Confirm>
      )}
    </>
  );
}

function Preview({ file, onClose }: { file: StoredFile; onClose: () => void }) {
  const { _id, url, contentType, sha256, size } = file;
  return (
    <Dialog title={_id} onClose={onClose} wide>
      {url !== null && contentType?.startsWith("image/") && (
        <img src={url} alt={`The image ${_id}`} className="max-h-96 self-center object-contain" />
      )}
      {url !== null && contentType?.startsWith("audio/") && <audio src={url} controls />}
      {url !== null && contentType?.startsWith("video/") && <video src={url} controls className="max-h-96" />}
      {url !== null && isText(contentType) && <TextPreview url={url} size={size} />}
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        <dt className="text-quiet">Type</dt>
        <dd>{contentType ?? "none given"}</dd>
        <dt className="text-quiet">Size</dt>
        <dd>{size} bytes</dd>
        <dt className="text-quiet">SHA-256</dt>
        <dd className="font-mono break-all">{sha256}</dd>
      </dl>
      {url !== null && (
        <a href={url} target="_blank" rel="noreferrer" className="text-accent underline">
          Open or save it
        </a>
      )}
    </Dialog>
  );
}

const MOST_TEXT = 64 * 1024;

function isText(contentType: string | null): boolean {
  return contentType !== null && /^text\/|[/+](json|xml|javascript|yaml|x-ndjson|jsonl)\b/.test(contentType);
}

/** The beginning of a text. It is shown as it is, and never run. */
function TextPreview({ url, size }: { url: string; size: number }) {
  const [text, setText] = useState<string | null>();
  useEffect(() => {
    const stop = new AbortController();
    fetch(url, { headers: { Range: `bytes=0-${MOST_TEXT - 1}` }, signal: stop.signal })
      .then(async (answer) => setText(answer.ok ? (await answer.text()).slice(0, MOST_TEXT) : null))
      .catch(() => !stop.signal.aborted && setText(null));
    return () => stop.abort();
  }, [url]);
  if (text === undefined) return <Loading what="the beginning of the file" />;
  if (text === null) return <p className="text-quiet">This text cannot be shown here.</p>;
  return (
    <>
      <pre
        tabIndex={0}
        aria-label="The text of the file"
        className="max-h-96 overflow-auto rounded-md bg-raised p-3 font-mono text-xs whitespace-pre-wrap"
      >
        {text}
      </pre>
      {size > MOST_TEXT && <p className="text-quiet">This is the beginning of it.</p>}
    </>
  );
}
