import { useQuery } from "convex/react";
import { useDeferredValue, useRef, useState } from "react";
import { AddArticle } from "./AddArticle";
import { Article } from "./Article";
import { api, type Found } from "./api";

const WAYS = [
  ["both", "Words and meaning"],
  ["words", "Words"],
  ["meaning", "Meaning"],
] as const;

const LANGUAGES: Record<string, string> = {
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  ru: "Русский",
  ar: "العربية",
  hi: "हिन्दी",
  th: "ไทย",
  zh: "中文",
  ja: "日本語",
  ko: "한국어",
};

export function Search() {
  const [text, setText] = useState("");
  const [by, setBy] = useState<(typeof WAYS)[number][0]>("both");
  const [language, setLanguage] = useState<string | null>(null);
  const [chosen, setChosen] = useState<Found | null>(null);
  const [adding, setAdding] = useState(false);
  // One query for each text that is typed; what was found before stays until the next is there.
  const wanted = useDeferredValue(text);
  const answer = useQuery(api.articles.search, { text: wanted, language, by });
  const last = useRef<Found[]>(undefined);
  if (answer !== undefined) last.current = answer;
  const found = answer ?? last.current;

  return (
    <main>
      <header>
        <h1>Search</h1>
        <p>Every result below is a live query: it changes when an article does.</p>
        <button className="quiet" onClick={() => setAdding(true)}>
          Add an article
        </button>
      </header>
      <search>
        <input
          type="search"
          aria-label="Search for"
          placeholder="bread, 月亮, चाँद, le thé…"
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <div className="choices" role="group" aria-label="Find by">
          {WAYS.map(([name, label]) => (
            <button key={name} aria-pressed={by === name} onClick={() => setBy(name)}>
              {label}
            </button>
          ))}
          <select
            aria-label="Language"
            value={language ?? ""}
            onChange={(event) => setLanguage(event.target.value || null)}
          >
            <option value="">All languages</option>
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <option key={code} value={code}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </search>
      <section aria-label="Results" aria-busy={answer === undefined}>
        {found === undefined && <p className="notice">Searching…</p>}
        {found?.length === 0 && (
          <p className="notice">
            {wanted ? `Nothing is found for “${wanted}”.` : "No articles yet: parabola run articles:load"}
          </p>
        )}
        {found?.map((article) => (
          <Article
            key={article.id}
            article={article}
            text={by === "meaning" ? "" : wanted}
            language={LANGUAGES[article.language] ?? article.language}
            onSimilar={() => setChosen(article)}
          />
        ))}
      </section>
      {chosen && <Similar to={chosen} onClose={() => setChosen(null)} onChoose={setChosen} />}
      {adding && <AddArticle languages={LANGUAGES} onClose={() => setAdding(false)} />}
    </main>
  );
}

/** The articles nearest to one, as they are now. */
function Similar(props: { to: Found; onClose: () => void; onChoose: (article: Found) => void }) {
  const similar = useQuery(api.articles.similar, { id: props.to.id });
  return (
    <aside aria-label="Similar articles">
      <header>
        <h2>
          More like <bdi>{props.to.title}</bdi>
        </h2>
        <button className="quiet" aria-label="Close" onClick={props.onClose}>
          ✕
        </button>
      </header>
      {similar?.map((article) => (
        <button key={article.id} className="similar" onClick={() => props.onChoose(article)}>
          <bdi>{article.title}</bdi>
          <meter min={0} max={1} value={article.score ?? 0} aria-label="How near" />
        </button>
      ))}
    </aside>
  );
}
