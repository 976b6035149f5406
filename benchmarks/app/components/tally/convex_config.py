from parabola import define_component

component = define_component("tally")
