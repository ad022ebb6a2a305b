"""What the endpoints of grid equipment read and answer, as OpenAPI shows it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import PAGE_MAX, Body, PageQuery, Query
from cloud.sites.bodies import Identifier, Name, Time
from cloud.wire import WireError, parse_time, time_text

from .equipment import MEMBERS, Equipment, EquipmentKind, members_of
from .history.store import Change
from .rates.store import DemandRate

SITES_MAX = 1000  # fed by one piece of equipment
DEVICES_MAX = 1000
VALID_SECONDS_MAX = 86_400  # who measures less often does not know how loaded it is
PERCENT_MAX = 1000
VA_MAX = 10_000_000_000  # a power station
AMPERES_MAX = 1_000_000
NOMINAL_MV_MAX = 1_000_000_000  # the highest there is on a line
PHASES_MAX = 3
IMPORTED_MAX = 2000  # pieces in one file; a body of 1 MiB holds no more of them with what they feed


class GridEquipmentBody(Body):
    """A feeder, a transformer …: what it feeds, what it hangs below, what it carries.

    What is not named stays as it stands; null takes it away. It carries `limit_va`, or `limit_a` in each of `phases`
    wires at `nominal_mv` from a wire to neutral.
    """

    name: Name
    sites: Annotated[list[Identifier], Field(max_length=SITES_MAX)] | None = None
    devices: Annotated[list[Identifier], Field(max_length=DEVICES_MAX)] | None = None
    kind: EquipmentKind | None = None
    above: Identifier | None = None
    limit_va: Annotated[int, Field(ge=1, le=VA_MAX)] | None = None
    limit_a: Annotated[int, Field(ge=1, le=AMPERES_MAX)] | None = None
    nominal_mv: Annotated[int, Field(ge=1, le=NOMINAL_MV_MAX)] | None = None
    phases: Annotated[int, Field(ge=1, le=PHASES_MAX)] | None = None

    def members(self) -> dict[str, Any]:
        """Return the members that were named."""
        return {name: getattr(self, name) for name in MEMBERS if name in self.model_fields_set}


class EquipmentBody(GridEquipmentBody):
    """A piece of equipment and all the sites it feeds; the community is named unless the client is bound to one."""

    community: Identifier | None = None
    sites: Annotated[list[Identifier], Field(max_length=SITES_MAX)]


class GridDemandBody(Body):
    """How loaded a piece of equipment is, in percent of what it carries, and until when that may be believed."""

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


class DemandBody(GridDemandBody):
    """The same, with the community, which is named unless the client is bound to one."""

    community: Identifier | None = None


class CommunityQuery(Query):
    """The community a provider speaks of, unless its client is bound to one."""

    community: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None


class EquipmentQuery(CommunityQuery):
    """A page of equipment, by id."""

    after: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class ChangesQuery(PageQuery):
    """A page of the changes of a piece."""


class DemandItem(Body):
    """The newest demand rate."""

    percent: int
    measured_at: Time
    valid_until: Time


class WiredItem(Body):
    """A piece of equipment: what it feeds directly, what it hangs below, what it carries."""

    equipment: Identifier
    name: Name
    sites: list[Identifier]
    devices: list[Identifier]
    kind: EquipmentKind | None
    above: Identifier | None
    limit_va: int | None
    limit_a: int | None
    nominal_mv: int | None
    phases: int | None


class EquipmentItem(WiredItem):
    """A piece of equipment with what it feeds and its newest demand rate."""

    demand: DemandItem | None


class EquipmentAnswer(Body):
    """The piece of equipment as it stands."""

    equipment: EquipmentItem


class EquipmentPageAnswer(Body):
    """A page of a community's equipment; `next` is the last one where there may be more."""

    equipment: list[EquipmentItem]
    next: Identifier | None


class WiringChangeItem(WiredItem):
    """What held of a piece from a time on, and who said so."""

    change: Identifier
    changed_at: Time
    changed_by: str


class WiringChangesAnswer(Body):
    """A page of the changes of a piece, the oldest first; `next` is the last one where there may be more."""

    changes: list[WiringChangeItem]
    next: Identifier | None


class DemandAnswer(Body):
    """That the demand rate is kept."""

    result: Literal["created", "exists"]


class WiringImportAnswer(Body):
    """How many pieces of a file are kept: all of them, or there is another answer."""

    kept: int


def item_of(piece: Equipment, rate: DemandRate | None) -> EquipmentItem:
    """Return a piece of equipment as it is told."""
    demand = None
    if rate is not None:
        times = {"measured_at": time_text(rate.measured_at), "valid_until": time_text(rate.valid_until)}
        demand = DemandItem(percent=rate.percent, **times)
    return EquipmentItem(equipment=piece.equipment, demand=demand, **members_of(piece))


def change_of(change: Change) -> WiringChangeItem:
    """Return a change as it is told."""
    said: dict[str, Any] = {
        "change": change.change,
        "changed_at": time_text(change.changed_at),
        "changed_by": change.changed_by,
    }
    return WiringChangeItem(equipment=change.stands.equipment, **members_of(change.stands), **said)
