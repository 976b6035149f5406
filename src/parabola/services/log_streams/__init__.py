"""Log streams: what functions log and how they end, sent to where an administrator wants it."""
