from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "tasks": define_table({"text": v.string(), "completed": v.boolean()}).index(
            "by_completed", ["completed"]
        ),
    }
)
