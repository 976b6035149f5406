from parabola import cron_jobs, internal

crons = cron_jobs()
crons.interval("tick", internal.jobs.trace, {"of": "tick", "number": 0.0}, seconds=1)
crons.interval("tack", internal.jobs.attempt, {"number": -1.0}, seconds=1)
