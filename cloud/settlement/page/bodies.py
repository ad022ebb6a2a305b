"""What the endpoints of this room read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from cloud.endpoint import Body, Query
from cloud.sites.bodies import Time

TimeText = Annotated[str | None, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class LinkBody(Body):
    """Which time the page is to show, by default the last 31 days, and in which language."""

    model_config = ConfigDict(populate_by_name=True)

    start: TimeText = Field(default=None, alias="from")
    end: TimeText = Field(default=None, alias="to")
    language: Literal["en", "ja"] | None = None


class LinkAnswer(Body):
    """Where the page and the table are, for whoever has the link, until it expires."""

    url: str
    csv_url: str
    expires_at: Time


class TicketQuery(Query):
    """The ticket of a link."""

    ticket: Annotated[str, Field(max_length=2000)]


class PeriodQuery(Query):
    """A time, half open; by default the last 31 days."""

    start: TimeText = Field(default=None, alias="from")
    end: TimeText = Field(default=None, alias="to")
