"""What each ended interval is told as: settled, or waiting and for what."""

from dataclasses import dataclass
from typing import Literal

from cloud.sites.store import Community

from .cycle import Due, Reason, Terms, judge
from .told.store import Overview, SettledInterval


@dataclass(frozen=True, slots=True)
class Open:
    """An interval that waits; `due` is one the next turn will settle."""

    start: int
    reason: Reason | Literal["due"]
    sites: tuple[str, ...]


def terms_of(community: Community) -> Terms:
    """Return how a community settles."""
    return Terms(
        community.interval_seconds, community.cycle_seconds, community.grace_seconds, time_zone=community.time_zone
    )


def listed(overview: Overview, terms: Terms, now: int) -> list[SettledInterval | Open]:
    """Return every interval of a page as it stands, in order of time."""
    return [overview.settled.get(start) or _open(overview, start, terms, now) for start in overview.starts]


def _open(overview: Overview, start: int, terms: Terms, now: int) -> Open:
    reported = overview.span.reported.get(start, frozenset())
    priced = overview.span.book.priced(start)
    verdict = judge(start, terms, overview.expected, reported, priced=priced, now=now)
    return Open(start, "due", ()) if isinstance(verdict, Due) else Open(start, verdict.reason, verdict.sites)
