from parabola import define_app

app = define_app()
app.offer("../components/readability")
