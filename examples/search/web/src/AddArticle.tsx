import { useMutation } from "convex/react";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { api } from "./api";

/** A form for a new article; the searches that it belongs to show it as soon as it is saved. */
export function AddArticle(props: { languages: Record<string, string>; onClose: () => void }) {
  const add = useMutation(api.articles.add);
  const [failure, setFailure] = useState("");
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    try {
      await add({ title: given.title!, body: given.body!, language: given.language! });
      props.onClose();
    } catch (error) {
      setFailure(String(error));
    }
  }

  return (
    <dialog ref={dialog} onClose={props.onClose} aria-label="A new article">
      <form onSubmit={save}>
        <h2>A new article</h2>
        <input name="title" aria-label="Title" placeholder="Title" required autoFocus />
        <textarea name="body" aria-label="Text" placeholder="Text" rows={5} required />
        <select name="language" aria-label="Language" defaultValue="en">
          {Object.entries(props.languages).map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </select>
        {failure && <p role="alert">{failure}</p>}
        <footer>
          <button type="button" className="quiet" onClick={props.onClose}>
            Cancel
          </button>
          <button className="primary">Save</button>
        </footer>
      </form>
    </dialog>
  );
}
