"""What the endpoints of the event log read and answer."""

import json
from typing import Annotated, Any, get_args

from pydantic import Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.wire import parse_time

from .asked import Asked, KeptEvent
from .event import Kind

KINDS: tuple[str, ...] = get_args(Kind.__value__)

type Moment = Annotated[str | None, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
type Named = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.:/*-]{1,64}$")]  # who may be an address


class EventsExportQuery(Query):
    """Which lines of the log; `after` goes on behind a line that was read before."""

    kind: Annotated[str | None, Field(pattern=f"^({'|'.join(KINDS)})$")] = None
    device: Named = None
    who: Named = None
    start: Moment = Field(default=None, alias="from")
    end: Moment = Field(default=None, alias="to")
    after: Annotated[str, Field(pattern=r"^[0-9a-f-]{0,36}$")] = ""

    def asked(self, community: str) -> Asked:
        """Return what is asked for in a community."""
        start_ms = None if self.start is None else parse_time(self.start, "from") * 1000
        end_ms = None if self.end is None else parse_time(self.end, "to") * 1000
        return Asked(community, self.kind, self.device, self.who, start_ms, end_ms)


class EventsQuery(EventsExportQuery):
    """A page of the log: `after` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class EventItem(Body):
    """One line of the log: what happened, when (milliseconds since 1970), to or through whom, and how much of it."""

    event: str
    at_ms: int
    kind: str
    who: str
    device: str | None
    count: int
    detail: dict[str, Any] | None


class EventsAnswer(Body):
    """A page of the log in the order in which lines were added; `next` is null on the last page."""

    events: list[EventItem]
    next: str | None


def item_of(kept: KeptEvent) -> EventItem:
    """Return a line as it is told."""
    return EventItem(
        event=kept.event,
        at_ms=kept.at_ms,
        kind=kept.kind,
        who=kept.who,
        device=kept.device,
        count=kept.count,
        detail=detail_of(kept.detail),
    )


def detail_of(text: str | None) -> dict[str, Any] | None:
    """Return the detail of a line; one that was too long to be kept whole is told as far as it goes."""
    if text is None:
        return None
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"cut": text}
    return found
