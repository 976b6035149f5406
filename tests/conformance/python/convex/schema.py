from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "items": define_table(v.any())
        .index("by_value", ["value"])
        .index("by_kind_value", ["kind", "value"])
        .search_index("search_text", search_field="text", filter_fields=["kind"])
        .vector_index("near", vector_field="vector", dimensions=2, filter_fields=["kind"]),
        "others": define_table(v.any()),
        "people": define_table(
            {"name": v.string(), "age": v.optional(v.number()), "friend": v.optional(v.id("people"))}
        ),
    }
)
