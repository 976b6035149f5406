"""Searching by words, by meaning and by both, in queries that stay live."""

import json
from pathlib import Path
from typing import Literal, TypedDict

from parabola import Id, action, internal_mutation, mutation, query

from ._generated.server import ActionCtx, Doc, MutationCtx, QueryCtx
from .embedding import embed

SHOWN = 12


class Found(TypedDict):
    """An article without what only indexes need, and how well it fits."""

    id: Id["articles"]
    title: str
    body: str
    language: str
    score: float | None


class NewArticle(TypedDict):
    title: str
    body: str
    language: str


def shown(article: Doc.articles, score: float | None = None) -> Found:
    return {
        "id": article["_id"],
        "title": article["title"],
        "body": article["body"],
        "language": article["language"],
        "score": score,
    }


@query
async def search(
    ctx: QueryCtx, text: str, language: str | None = None, by: Literal["words", "meaning", "both"] = "both"
) -> list[Found]:
    """The best articles for a text; without one the newest."""
    if not text.strip():
        newest = ctx.db.query("articles").order("desc")
        if language is not None:
            newest = newest.filter(lambda q: q.eq(q.field("language"), language))
        return [shown(article) for article in await newest.take(SHOWN)]
    if by == "words":
        found = ctx.db.query("articles").with_search_index(
            "by_words",
            lambda q: (
                q.search("text", text)
                if language is None
                else q.search("text", text).eq("language", language)
            ),
        )
        return [shown(article) for article in await found.take(SHOWN)]
    if by == "meaning":
        hits = await ctx.db.vector_search(
            "articles",
            "by_meaning",
            vector=embed(text),
            limit=SHOWN,
            filter=None if language is None else lambda q: q.eq("language", language),
        )
    else:
        hits = await ctx.db.hybrid_search(
            "articles",
            search_index="by_words",
            search=lambda q: (
                q.search("text", text)
                if language is None
                else q.search("text", text).eq("language", language)
            ),
            vector_index="by_meaning",
            vector=embed(text),
            limit=SHOWN,
            filter=None if language is None else lambda q: q.eq("language", language),
        )
    articles = [(await ctx.db.get(hit["_id"]), hit["_score"]) for hit in hits]
    return [shown(article, score) for article, score in articles if article is not None]


@query
async def similar(ctx: QueryCtx, id: Id["articles"]) -> list[Found]:
    """More like this one: the articles whose vectors point the nearest way."""
    article = await ctx.db.get(id)
    if article is None:
        return []
    hits = await ctx.db.vector_search("articles", "by_meaning", vector=article["vector"], limit=5)
    others = [(await ctx.db.get(hit["_id"]), hit["_score"]) for hit in hits if hit["_id"] != id]
    return [shown(other, score) for other, score in others if other is not None]


@mutation
async def add(ctx: MutationCtx, title: str, body: str, language: str) -> Id["articles"]:
    """A new article, which every search on a page that it belongs to shows at once."""
    text = f"{title}\n{body}"
    return await ctx.db.insert(
        "articles",
        {"title": title, "body": body, "text": text, "language": language, "vector": embed(text)},
    )


@mutation
async def remove(ctx: MutationCtx, id: Id["articles"]) -> None:
    await ctx.db.delete(id)


@internal_mutation
async def replace_all(ctx: MutationCtx, articles: list[NewArticle]) -> None:
    for article in await ctx.db.query("articles").collect():
        await ctx.db.delete(article["_id"])
    for each in articles:
        await ctx.run_mutation(add, each)


@action
async def load(ctx: ActionCtx) -> int:
    """The articles of `articles.json`, instead of all there are."""
    articles = json.loads((Path(__file__).parent / "articles.json").read_text(encoding="utf-8"))
    await ctx.run_mutation(replace_all, {"articles": articles})
    return len(articles)
