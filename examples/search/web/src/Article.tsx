import type { Found } from "./api";

/** One result, with the words that were searched for. */
export function Article(props: { article: Found; text: string; language: string; onSimilar: () => void }) {
  const { article, text } = props;
  return (
    <article lang={article.language} dir="auto">
      <h2>
        <Marked text={article.title} words={text} />
      </h2>
      <p>
        <Marked text={article.body} words={text} />
      </p>
      <footer>
        <span className="language">{props.language}</span>
        <button className="quiet" lang="en" onClick={props.onSimilar}>
          More like this
        </button>
      </footer>
    </article>
  );
}

const WITHOUT_SPACES = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

function Marked({ text, words }: { text: string; words: string }) {
  const wanted = words.split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean);
  if (wanted.length === 0) return <>{text}</>;
  // Where words have spaces between them, only their beginnings are meant.
  const pattern = wanted.map((word) => (WITHOUT_SPACES.test(word) ? word : `(?<![\\p{L}\\p{M}])${word}`)).join("|");
  return text
    .split(new RegExp(`(${pattern})`, "giu"))
    .map((part, place) => (place % 2 ? <mark key={place}>{part}</mark> : part));
}
