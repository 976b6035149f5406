from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "notes": define_table({"channel": v.number(), "text": v.string()}).index("by_channel", ["channel"]),
        "articles": define_table({"channel": v.number(), "body": v.string()}).search_index(
            "by_words", search_field="body", filter_fields=["channel"]
        ),
        "accounts": define_table({"number": v.number(), "balance": v.number()}).index(
            "by_number", ["number"]
        ),
        "counters": define_table({"name": v.string(), "value": v.number()}).index("by_name", ["name"]),
    }
)
