from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "t": define_table({"slot": v.number(), "n": v.number()}).index("by_slot", ["slot"]),
        "requests": define_table({"key": v.string(), "program": v.string(), "seen": v.string()}).index(
            "by_key", ["key"]
        ),
        "ticks": define_table({"key": v.string()}),
        "acts": define_table({"key": v.string()}),
    }
)
