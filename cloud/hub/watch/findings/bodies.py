"""What is asked and told of findings, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.hub.events.table import moment_text
from cloud.hub.extraction.bodies import TIME_TEXT, time_ms
from cloud.sites.bodies import Identifier

from .finding import Finding

type Moment = Annotated[str, Field(examples=["2026-11-21T12:00:00.000Z"])]


class FindingsQuery(Query):
    """Findings that were open at any time in [from, to); `after` is the `next` of the page before."""

    open: bool = False
    start: Annotated[str | None, Field(max_length=40, alias="from", description=TIME_TEXT)] = None
    end: Annotated[str | None, Field(max_length=40, alias="to", description=TIME_TEXT)] = None
    after: Annotated[str, Field(pattern=r"^(\d{1,15}/[0-9a-f-]{36})?$")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100

    @field_validator("start", "end")
    @classmethod
    def _reads(cls, text: str | None) -> str | None:
        if text is not None:
            time_ms(text)
        return text

    def times(self) -> tuple[int | None, int | None]:
        """Return the time that is asked for, in milliseconds."""
        return (
            None if self.start is None else time_ms(self.start),
            None if self.end is None else time_ms(self.end),
        )

    def place(self) -> tuple[int, str]:
        """Return where the page before ended."""
        at, _, finding = self.after.partition("/")
        return int(at or -1), finding


class WatchFindingItem(Body):
    """What is or was out of tolerance: a quantity at a point, or the `load` of a piece of equipment in percent.

    `worst` is the value farthest off and `by` how far (negative: below). `until` is null while it is open; it stays
    open where nothing more is measured.
    """

    finding: Identifier
    about: Literal["device", "equipment"]
    name: str
    point: str
    quantity: str
    lowest: int | None
    highest: int | None
    worst: int
    by: int
    worst_at: Moment
    since: Moment
    until: Moment | None


class WatchFindingsAnswer(Body):
    """A page of findings by when they began; `next` is null on the last page."""

    findings: list[WatchFindingItem]
    next: str | None


def finding_item(finding: Finding) -> WatchFindingItem:
    """Return a finding as it is told."""
    mark, worst = finding.mark, finding.worst
    return WatchFindingItem(
        finding=finding.finding,
        about="device" if mark.about == "device" else "equipment",
        name=mark.name,
        point=mark.point,
        quantity=mark.quantity,
        lowest=worst.lowest,
        highest=worst.highest,
        worst=worst.value,
        by=worst.by,
        worst_at=moment_text(worst.at_ms),
        since=moment_text(finding.since_ms),
        until=None if finding.until_ms is None else moment_text(finding.until_ms),
    )
