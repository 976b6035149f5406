"""Text and vector search: semantics 9, js-runtime 3.5 and 3.6."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

from conformance.case import Case

TEXTS = [
    {"name": "0", "text": "hello world", "kind": "a"},
    {"name": "1", "text": "hello there", "kind": "b"},
    {"name": "2", "text": "nothing", "kind": "a"},
]
SCRIPTS = [
    {"name": "zh", "text": "全文検索と搜索引擎"},
    {"name": "ko", "text": "전문 검색은 재미있다"},
    {"name": "th", "text": "การค้นหาข้อความ"},
    {"name": "hi", "text": "हिन्दी में खोज"},
    {"name": "fr", "text": "Recherche à l'été"},
]
VECTORS = [
    {"name": "east", "vector": [1.0, 0.0], "kind": "a", "text": "apple"},
    {"name": "north", "vector": [0.0, 1.0], "kind": "b", "text": "pear"},
    {"name": "west", "vector": [-1.0, 0.0], "kind": "c", "text": "apple apple"},
    {"name": "short", "vector": [1.0]},
    {"name": "none"},
]


def search(item: str, text: str, value: list[str], **more: object) -> Case:
    more.setdefault("documents", TEXTS)
    return Case(item, "queries:search", {"text": text}, value, **more)  # type: ignore[arg-type]


def wrong(kind: str, error: str) -> Case:
    return Case(f"sem 9.1 wrong {kind}", "searching:wrong", {"kind": kind}, error=error, documents=TEXTS)


SEARCH_CASES: list[Case] = [
    search("sem 14.46 last term is a prefix", "wor", ["0"]),
    search("sem 14.46 other terms are not", "hel world", ["0"]),
    Case("js 3.5 equality filter", "queries:search", {"text": "hello", "kind": "b"}, ["1"], documents=TEXTS),
    search("sem 14.47 seventeenth term", " ".join(f"q{n}" for n in range(16)) + " hello", []),
    search("sem 9.1 no words", " - ", []),
    search("sem 9.1 case", "HELLO WORLD", ["0", "1"]),
    search("search 1.2 Chinese", "搜索", ["zh"], documents=SCRIPTS),
    search("search 1.2 Japanese", "検索", ["zh"], documents=SCRIPTS),
    search("search 1.2 Korean", "검색", ["ko"], documents=SCRIPTS),
    search("search 1.2 Thai", "ค้นหา", ["th"], documents=SCRIPTS),
    search("search 1.2 Hindi", "हिन्दी", ["hi"], documents=SCRIPTS),
    search("search 1.2 accents count", "ete", [], documents=SCRIPTS),
    search("search 1.2 accents in either form", "été", ["fr"], documents=SCRIPTS),
    Case("sem 9.1 pages", "searching:page", {"text": "hello", "paginationOpts": {"cursor": None, "numItems": 1.0}},
         {"names": ["1"], "isDone": False}, documents=TEXTS),
    Case("sem 9.1 filter after it", "searching:filtered", {"text": "hello", "kind": "a"}, ["0"], documents=TEXTS),
    Case("sem 9.1 own writes", "searching:own", {}, [["new"], [], ["again"], []]),
    wrong("field", r"contains a search filter against name, which doesn't match the indexed `searchField` text\."),
    wrong("twice", r"contains multiple search filters against text\. Only one is allowed\."),
    wrong("filter", r"an equality filter on name but that field isn't indexed for filtering in `filterFields`\."),
    wrong("none", "does not contain any search filters"),
    wrong("index", r"Index items\.by_value is not a search index"),
    wrong("missing", r"Index items\.nothing not found\."),
    wrong("order", "Search queries must always be in relevance order"),
    Case("sem 9.2 nearest first", "searching:near", {"vector": [2.0, 0.0]},
         [["east", 1000.0], ["north", 0.0], ["west", -1000.0]], documents=VECTORS),
    Case("sem 9.2 limit", "searching:near", {"vector": [2.0, 0.0], "limit": 1.0}, [["east", 1000.0]],
         documents=VECTORS),
    Case("sem 9.2 filter", "searching:near", {"vector": [0.0, 2.0], "filter": "one"}, [["east", 0.0]],
         documents=VECTORS),
    Case("sem 9.2 filter with or", "searching:near", {"vector": [0.0, 2.0], "filter": "either"},
         [["north", 1000.0], ["east", 0.0]], documents=VECTORS),
    Case("sem 9.2 wrong filter", "searching:near", {"vector": [0.0, 2.0], "filter": "wrong"}, documents=VECTORS,
         error=r"contains a filter on name but that field isn't indexed for filtering in `filterFields`\."),
    Case("sem 9.2 dimensions", "searching:near", {"vector": [0.0, 2.0, 3.0]}, documents=VECTORS,
         error=r"Expected a vector with dimensions 2, received 3\."),
    Case("sem 9.2 too many", "searching:near", {"vector": [0.0, 2.0], "limit": 257.0}, documents=VECTORS,
         error=r"Vector queries can fetch at most 256 results, requested 257\."),
    Case("search 2.3 in a query", "searching:near_in_query", {"vector": [0.1, 1.0]}, ["north", "east", "west"],
         documents=VECTORS),
    Case("search 2.3 minimum score", "searching:near_in_query", {"vector": [0.0, 1.0], "minimum": 0.5}, ["north"],
         documents=VECTORS),
    Case("search 2.3 both kinds", "searching:both", {"text": "apple", "vector": [1.0, 0.0]},
         ["east", "west", "north"], documents=VECTORS),
]  # fmt: skip
