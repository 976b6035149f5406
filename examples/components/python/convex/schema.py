from parabola import define_schema, define_table, v

schema = define_schema({"messages": define_table({"author": v.string(), "text": v.string()})})
