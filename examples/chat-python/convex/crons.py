from parabola import cron_jobs

from ._generated.server import internal

crons = cron_jobs()
crons.daily("forget old messages", internal.cleanup.old, {"days": 30}, hour_utc=3)
