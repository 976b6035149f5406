from ._generated.server import cron_jobs, internal

crons = cron_jobs()
crons.daily("clean", internal.notes.clean, hour_utc=3)
crons.interval("greet", internal.lib.people.greet, {"name": "all"}, minutes=5)
