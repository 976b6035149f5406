from parabola import define_app

app = define_app()
app.use("@convex-dev/rate-limiter", name="limits")
app.use("../components/moderation", env={"LANGUAGE": "en"})
