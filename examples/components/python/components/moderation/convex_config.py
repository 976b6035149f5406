from parabola import define_component, v

component = define_component("moderation", env={"LANGUAGE": v.union(v.literal("en"), v.literal("de"))})
