from parabola import define_schema, define_table, v

from .embedding import DIMENSIONS

schema = define_schema(
    {
        "articles": define_table(
            {
                "title": v.string(),
                "body": v.string(),
                "text": v.string(),  # title and body, for the search index
                "language": v.string(),
                "vector": v.array(v.float64()),
            }
        )
        .search_index("by_words", search_field="text", filter_fields=["language"])
        .vector_index("by_meaning", vector_field="vector", dimensions=DIMENSIONS, filter_fields=["language"]),
    }
)
