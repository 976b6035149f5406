from parabola import define_schema, define_table, v

schema = define_schema(
    {
        "readings": define_table({"value": v.number()}),
        "trends": define_table(
            {
                "readings": v.number(),
                "slope": v.number(),
                "start": v.number(),
                "smooth": v.array(v.number()),
            }
        ),
    }
)
