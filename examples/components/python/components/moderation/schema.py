from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "words": define_table({"word": v.string()}).index("by_word", ["word"]),
        "passes": define_table({"length": v.integer()}),
    }
)
