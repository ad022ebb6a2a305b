"""What the endpoints of grid equipment read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Identifier, Name, Time
from cloud.wire import WireError, parse_time, time_text

from .store import DemandRate, Equipment

SITES_MAX = 1000  # fed by one piece of equipment
VALID_SECONDS_MAX = 86_400  # who measures less often does not know how loaded it is
PERCENT_MAX = 1000


class EquipmentBody(Body):
    """A transformer, a feeder: and all the sites it feeds. The community is named unless the client is bound to one."""

    community: Identifier | None = None
    name: Name
    sites: Annotated[list[Identifier], Field(max_length=SITES_MAX)]


class DemandBody(Body):
    """How loaded a piece of equipment is, in percent of what it carries, and until when that may be believed."""

    community: Identifier | None = None
    percent: Annotated[int, Field(ge=0, le=PERCENT_MAX, description="rounded up")]
    measured_at: Time
    valid_until: Time

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            rate = self.rate()
        except WireError as error:
            raise ValueError(str(error)) from None
        if not 0 < rate.valid_until - rate.measured_at <= VALID_SECONDS_MAX:
            raise ValueError(f"valid_until is not within {VALID_SECONDS_MAX} s after measured_at")
        return self

    def rate(self) -> DemandRate:
        """Return this demand rate."""
        return DemandRate(
            parse_time(self.measured_at, "measured_at"), parse_time(self.valid_until, "valid_until"), self.percent
        )


class EquipmentQuery(Query):
    """A page of equipment, by id."""

    community: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None
    after: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class DemandItem(Body):
    """The newest demand rate."""

    percent: int
    measured_at: Time
    valid_until: Time


class EquipmentItem(Body):
    """A piece of equipment with the sites it feeds and its newest demand rate."""

    equipment: Identifier
    name: Name
    sites: list[Identifier]
    demand: DemandItem | None


class EquipmentAnswer(Body):
    """The piece of equipment as it stands."""

    equipment: EquipmentItem


class EquipmentPageAnswer(Body):
    """A page of a community's equipment; `next` is the last one where there may be more."""

    equipment: list[EquipmentItem]
    next: Identifier | None


class DemandAnswer(Body):
    """That the demand rate is kept."""

    result: Literal["created", "exists"]


def item_of(equipment: Equipment, rate: DemandRate | None) -> EquipmentItem:
    """Return a piece of equipment as it is told."""
    demand = None
    if rate is not None:
        times = {"measured_at": time_text(rate.measured_at), "valid_until": time_text(rate.valid_until)}
        demand = DemandItem(percent=rate.percent, **times)
    return EquipmentItem(equipment=equipment.equipment, name=equipment.name, sites=list(equipment.sites), demand=demand)
