from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "scores": define_table({"subject": v.string(), "score": v.number(), "longest": v.integer()}).index(
            "by_subject", ["subject"]
        )
    }
)
