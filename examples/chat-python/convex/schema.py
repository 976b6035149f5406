from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "channels": define_table({"name": v.string()}).index("by_name", ["name"]),
        "messages": define_table(
            {
                "channel": v.id("channels"),
                "author": v.string(),
                "kind": v.union(v.literal("person"), v.literal("command"), v.literal("webhook")),
                "text": v.string(),
                "file": v.optional(v.object({"id": v.id("_storage"), "name": v.string()})),
            }
        ).index("by_channel", ["channel"]),
        "presence": define_table(
            {"channel": v.id("channels"), "name": v.string(), "until": v.number()}
        ).index("by_channel_name", ["channel", "name"]),
    }
)
