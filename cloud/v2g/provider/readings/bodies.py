"""What the endpoints of a provider's readings read and answer, as OpenAPI shows it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Identifier, Time
from cloud.wire import WireError, parse_time, time_text
from cloud.wire.strict import INTEGER_MAX

from .store import KeptReading, SupplyReading

READINGS_MAX = 1000  # in one request
HOUR_SECONDS = 3600

type SupplyWh = Annotated[int, Field(ge=0, le=INTEGER_MAX)]


class SupplyReadingMember(Body):
    """What the provider read at a site's supply point from `start` on: a part of an hour, cut at whole parts."""

    site: Identifier
    start: Time
    seconds: Annotated[int, Field(ge=1, le=HOUR_SECONDS, description="divides 3600", examples=[1800])]
    import_wh: SupplyWh
    export_wh: SupplyWh

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            start = parse_time(self.start, "start")
        except WireError as error:
            raise ValueError(str(error)) from None
        if HOUR_SECONDS % self.seconds or start % self.seconds:
            raise ValueError("seconds does not divide 3600, or start is no boundary of it")
        return self

    def reading(self) -> SupplyReading:
        """Return this reading."""
        start = parse_time(self.start, "start")
        return SupplyReading(self.site, start, self.seconds, self.import_wh, self.export_wh)


class ReadingsBody(Body):
    """Readings of supply points in one community; named unless the client is bound to one. All are kept, or none."""

    community: Identifier | None = None
    readings: Annotated[list[SupplyReadingMember], Field(min_length=1, max_length=READINGS_MAX)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({(reading.site, reading.start) for reading in self.readings}) != len(self.readings):
            raise ValueError("readings names a site and a start twice")
        return self


class ReadingsToldAnswer(Body):
    """What became of the readings: new ones, corrections of earlier ones, and those that stood so already."""

    created: int
    corrected: int
    existed: int


class ReadingsQuery(Query):
    """A page of readings: `after` is the `next` of the page before."""

    community: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None
    site: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None
    after: Annotated[str, Field(pattern=r"^([^/]{1,64}/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/\d{1,9})?$")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class SupplyReadingItem(SupplyReadingMember):
    """A reading as it is kept: revision 1 is the first that was told of its time, the highest the one that holds."""

    revision: int
    stored_at: Time


class ReadingsAnswer(Body):
    """A page of all revisions of readings by site, time and revision; `next` is null on the last page."""

    readings: list[SupplyReadingItem]
    next: str | None


def item_of(kept: KeptReading) -> SupplyReadingItem:
    """Return a reading as it is told."""
    reading = kept.reading
    return SupplyReadingItem(
        site=reading.site,
        start=time_text(reading.start),
        seconds=reading.seconds,
        import_wh=reading.import_wh,
        export_wh=reading.export_wh,
        revision=kept.revision,
        stored_at=time_text(kept.stored_at),
    )
