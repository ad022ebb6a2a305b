"""What the endpoints of this room read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Identifier, Time

from .terms import RULES_MAX, SERIES_SECONDS_MAX

PRICES_MAX = 5000  # added to a series in one call: more than three months of half hours

type Price = Annotated[
    str,
    Field(max_length=24, examples=["30", "-0.125"], description="points per kWh, up to 6 decimals, may be negative"),
]
type Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
type Clock = Annotated[
    str,
    Field(
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", examples=["22:00"], description="by the community's wall clock"
    ),
]
type Kind = Annotated[
    Literal["flat", "time_of_use", "series"],
    Field(description="one price; prices by the local clock; prices added for each time as they become known"),
]
type PricePerWh = Annotated[int, Field(description="micro-points per Wh")]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# not a named type: the parameters of a query are written out one by one, and a name would point nowhere
TimeText = Annotated[str | None, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class _Times(Body):
    """When a rule holds: on the weekdays it begins on; where it ends no later than it begins, it goes over midnight."""

    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7, default_factory=lambda: list(WEEKDAYS))]
    from_time: Clock
    to_time: Clock

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if len(set(self.weekdays)) != len(self.weekdays):
            raise ValueError("weekdays names a day twice")
        if self.from_time == "24:00":
            raise ValueError("from_time is the end of a day")
        if self.from_time == self.to_time:
            raise ValueError("from_time and to_time are the same; a whole day is 00:00 to 24:00")
        return self


class OwnerRuleBody(_Times):
    """One owner's prices between two local times."""

    grid_buy: Price
    grid_sell: Price


class RuleBody(OwnerRuleBody):
    """A community's prices between two local times."""

    local: Price | None


def _fits(kind: str, named: dict[str, object], rules: object) -> None:
    """Refuse members that a kind of tariff does not have, or lacks; raises ValueError."""
    if kind == "series":
        unwanted = [name for name, value in named.items() if value is not None] + ["rules"] * (rules is not None)
        if unwanted:
            raise ValueError(f"{unwanted[0]} is not for a series: its prices are added afterwards")
        return
    if (kind == "time_of_use") != (rules is not None):
        raise ValueError("rules are for time_of_use, and it needs them")
    for name in ("grid_buy", "grid_sell"):
        if named[name] is None:
            raise ValueError(f"{name} is missing")


class OwnerTariffBody(Body):
    """Prices of one owner from a time on; the local price is always the community's. Without `kind` it is flat."""

    kind: Kind = "flat"
    valid_until: Annotated[Time | None, Field(description="null: until the next tariff begins")] = None
    grid_buy: Annotated[Price | None, Field(description="what the owner pays to the grid")] = None
    grid_sell: Annotated[Price | None, Field(description="what the grid pays to the owner")] = None
    rules: Annotated[list[OwnerRuleBody], Field(min_length=1, max_length=RULES_MAX)] | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        _fits(self.kind, {"grid_buy": self.grid_buy, "grid_sell": self.grid_sell}, self.rules)
        return self


class TariffBody(Body):
    """Prices of a community from a time on: between owners, from the grid, to the grid. Without `kind` it is flat.

    The prices of `time_of_use` are those of all times that no rule covers.
    """

    kind: Kind = "flat"
    valid_until: Annotated[Time | None, Field(description="null: until the next tariff begins")] = None
    local: Annotated[Price | None, Field(description="null: no local market; must be named unless it is a series")] = (
        None
    )
    grid_buy: Annotated[Price | None, Field(description="what an owner pays to the grid")] = None
    grid_sell: Annotated[Price | None, Field(description="what the grid pays to an owner")] = None
    rules: Annotated[list[RuleBody], Field(min_length=1, max_length=RULES_MAX)] | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        named = {"local": self.local, "grid_buy": self.grid_buy, "grid_sell": self.grid_sell}
        _fits(self.kind, dict(named), self.rules)
        if self.kind != "series" and "local" not in self.model_fields_set:
            raise ValueError("local is missing; null says that there is no local market")
        return self


class RuleItem(Body):
    """A rule as it was written, and as the whole numbers it is settled by."""

    weekdays: list[Weekday]
    from_time: Clock
    to_time: Clock
    local: Price | None
    grid_buy: Price
    grid_sell: Price
    local_micro_per_wh: PricePerWh | None
    grid_buy_micro_per_wh: PricePerWh
    grid_sell_micro_per_wh: PricePerWh


class GapItem(Body):
    """A time in which no tariff is in force, so that nothing can be settled; `end` is null where none follows."""

    start: Time
    end: Time | None


class TariffItem(Body):
    """A tariff as it was written, and as the whole micro-points per Wh that intervals are settled by.

    `owner` is null for the community's. `known_until` is the end of the last price of a series, `used_through` that
    of the last interval it settled; from then on it stands. Rules keep the time zone they were made for.
    """

    community: Identifier
    owner: Identifier | None
    kind: Kind
    valid_from: Time
    valid_until: Time | None
    local: Price | None
    grid_buy: Price | None
    grid_sell: Price | None
    local_micro_per_wh: PricePerWh | None
    grid_buy_micro_per_wh: PricePerWh | None
    grid_sell_micro_per_wh: PricePerWh | None
    time_zone: str | None
    rules: list[RuleItem] | None
    known_until: Time | None
    used_through: Time | None


class TariffAnswer(TariffItem):
    """The tariff as it stands now; `gaps` warns of times of the community that no tariff covers."""

    result: Literal["created", "exists", "replaced"]
    gaps: list[GapItem]


class TariffsQuery(Query):
    """A page of tariffs: those that begin after a time."""

    after: TimeText = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class TariffsAnswer(Body):
    """A page of tariffs in order of time; `next` is the `after` of the next page, null on the last.

    `gaps` are all the times of the community that no tariff covers; an owner without one has the community's prices.
    """

    tariffs: list[TariffItem]
    gaps: list[GapItem]
    next: Time | None


class OwnerPriceBody(Body):
    """One owner's prices of some time."""

    start: Time
    seconds: Annotated[int, Field(ge=1, le=SERIES_SECONDS_MAX, description="a multiple of the interval")]
    grid_buy: Price
    grid_sell: Price


class PriceBody(OwnerPriceBody):
    """A community's prices of some time."""

    local: Price | None


class OwnerPricesBody(Body):
    """Prices to add to an owner's series."""

    prices: Annotated[list[OwnerPriceBody], Field(min_length=1, max_length=PRICES_MAX)]


class PricesBody(Body):
    """Prices to add to a community's series."""

    prices: Annotated[list[PriceBody], Field(min_length=1, max_length=PRICES_MAX)]


class PricesAddedAnswer(Body):
    """How many of the prices were new, how many were known already, and how far the series is known now."""

    created: int
    exists: int
    known_until: Time
