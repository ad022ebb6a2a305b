"""When a cycle ends: after so many seconds since 1970, or with the local day or the ISO week."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY_SECONDS: Final = 86_400  # stands for the local day, whatever its length: 23, 24 or 25 hours
WEEK_SECONDS: Final = 7 * DAY_SECONDS  # stands for the local week from Monday on


def cycle_end(start: int, cycle_seconds: int, time_zone: str) -> int:
    """Return when the cycle ends in which an interval begins."""
    if cycle_seconds not in (DAY_SECONDS, WEEK_SECONDS):
        return start - start % cycle_seconds + cycle_seconds
    zone = ZoneInfo(time_zone)
    today = datetime.fromtimestamp(start, zone).date()
    days = 1 if cycle_seconds == DAY_SECONDS else 7 - today.weekday()
    # the first instant of the day: where the clock skips midnight, the one it skips to; of two midnights the first
    midnight = datetime.combine(today + timedelta(days=days), time(), zone)
    return int(midnight.astimezone(UTC).timestamp())
