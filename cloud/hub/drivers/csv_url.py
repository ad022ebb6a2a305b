"""Reads a file a day whose URL holds the date: a market's prices, a utility's half hours."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
import re
from typing import Annotated
from urllib.parse import urlsplit
import zoneinfo

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.hub.pull.auth import SECRETS, BasicAuth, BearerAuth, KeyAuth, NoAuth, Url, shown
from cloud.hub.pull.driver import Driver, Pulled, PullFailed, Round
from cloud.hub.pull.template import host_is_fixed, with_query
from cloud.outbound import WHY, fault_of

DATE = re.compile(r"\{date(?::([%A-Za-z0-9_./-]{1,40}))?\}")
DAYS_MAX = 400
MISSING = (404, 410)  # not published yet, or no longer


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except ValueError, OSError, zoneinfo.ZoneInfoNotFoundError:
        raise ValueError("is no time zone like Asia/Tokyo") from None
    return name


class CsvUrlDescription(Body):
    """A URL with `{date}`, or `{date:%Y%m%d}` in any form of strftime, of each day in `time_zone`.

    Each round asks for the days from `days_back` before today to `days_ahead` after it (a market publishes tomorrow's
    prices today); the first one begins `first_days` ago. A day whose file is not there (404) is asked for next time.
    """

    url: Url
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    days_ahead: Annotated[int, Field(ge=0, le=14)] = 1
    days_back: Annotated[int, Field(ge=0, le=31)] = 1
    first_days: Annotated[int, Field(ge=0, le=DAYS_MAX)] = 7
    auth: Annotated[NoAuth | BasicAuth | BearerAuth | KeyAuth, Field(discriminator="kind")] = NoAuth()
    format: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None = None
    per_minute: Annotated[int, Field(ge=1, le=6000)] = 60


def fault(description: CsvUrlDescription, private: bool) -> str | None:
    """Return what is wrong with a description beyond its form."""
    if not DATE.search(description.url):
        return "url: it holds no {date}"
    if not host_is_fixed(description.url) or DATE.search(urlsplit(description.url).netloc):
        return "url: the date stands behind the host"
    found = fault_of(_url(description, datetime(2026, 1, 1, tzinfo=UTC)), private=private, letters_max=2000)
    return None if found is None else f"{urlsplit(description.url).hostname} is not called: {WHY[found]}"


def _url(description: CsvUrlDescription, day: datetime) -> str:
    return DATE.sub(lambda form: day.strftime(form[1] or "%Y-%m-%d"), description.url)


async def pull(turn: Round) -> AsyncGenerator[Pulled]:
    """Ask for each day's file; the days that were read stay read."""
    description: CsvUrlDescription = turn.description
    today = datetime.fromtimestamp(turn.now_ms / 1000, zoneinfo.ZoneInfo(description.time_zone)).replace(tzinfo=None)
    read = datetime.fromisoformat(turn.state["read"]) if "read" in turn.state else None
    first = today - timedelta(days=description.first_days if read is None else description.days_back)
    if read is not None:
        first = min(first, read + timedelta(days=1))
    last = today + timedelta(days=description.days_ahead)
    complete = True
    for number in range((last.date() - first.date()).days + 1):
        day = first + timedelta(days=number)
        show = await shown(turn, description.auth, again=False)
        answer = await turn.ask("GET", with_query(_url(description, day), show.query), headers=show.headers)
        if answer.status in MISSING:
            complete = complete and day.date() <= today.date() - timedelta(days=description.days_back)
            continue
        if answer.status == 401:
            raise PullFailed("refused", "answered 401: what we show does not let us in")
        if not 200 <= answer.status < 300:
            raise PullFailed("answered", f"answered {answer.status}")
        if answer.raw:
            yield Pulled(answer.raw, answer.received_ms, description.format, answer.sent_ms)
        if complete:
            turn.state = {"read": day.date().isoformat()}


DRIVER = Driver(
    name="csv_url",
    about="A file a day whose URL holds the date: market prices, half-hour series",
    description=CsvUrlDescription,
    pull=pull,
    secrets_of=lambda description: SECRETS[description.auth.kind],
    fault_of=fault,
    per_minute=lambda description: int(description.per_minute),
)
