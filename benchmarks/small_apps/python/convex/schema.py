from parabola import define_schema, define_table, v

schema = define_schema(
    {"notes": define_table({"channel": v.number(), "text": v.string()}).index("by_channel", ["channel"])}
)
