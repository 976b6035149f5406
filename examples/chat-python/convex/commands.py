"""Messages that begin with a slash: `/weather Oslo`, `/remind 10m stand up`."""

import json
import re
import urllib.parse
import urllib.request
from datetime import timedelta

from parabola import ConvexError, Id, env, internal_action

from ._generated.server import MutationCtx, SyncActionCtx, internal

UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


async def obey(ctx: MutationCtx, channel: Id["channels"], author: str, text: str) -> None:
    """Begin what the command asks for; its answer is a message of its own."""
    if weather := re.fullmatch(r"/weather (.+)", text):
        await ctx.scheduler.run_after(0, internal.commands.weather, {"channel": channel, "city": weather[1]})
    elif remind := re.fullmatch(r"/remind (\d+)([smh]?) (.+)", text):
        delay = timedelta(**{UNITS[remind[2] or "m"]: int(remind[1])})
        await ctx.scheduler.run_after(
            delay,
            internal.messages.post,
            {"channel": channel, "author": "reminder", "text": f"@{author}: {remind[3]}"},
        )
    else:
        raise ConvexError("Commands: /weather CITY, /remind 10m TEXT")


@internal_action
def weather(ctx: SyncActionCtx, channel: Id["channels"], city: str) -> None:
    """Ask the weather service. Actions may do what takes long; a plain `def` may block."""
    url = f"{env['WEATHER_URL']}?{urllib.parse.urlencode({'city': city})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            report = json.load(response)
        text = f"{report['city']}: {report['sky']}, {report['celsius']:.0f} °C"
    except OSError as error:
        text = f"No weather for {city}: {error}"
    ctx.run_mutation(internal.messages.post, {"channel": channel, "author": "weather", "text": text})
