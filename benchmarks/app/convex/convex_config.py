from parabola import define_app

app = define_app()
app.use("../components/tally")
