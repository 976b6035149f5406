from parabola import define_component, v

component = define_component("readability", env={"LONG": v.optional(v.string())})
