"""What the endpoints of evaluated prices read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.sites.bodies import Identifier, Time
from cloud.tariff.bodies import PricePerWh, TimeText

HOURS_MAX = 48  # how far ahead a site asks: two days, as far as day-ahead markets ever say


class QuoteQuery(Query):
    """Whose prices, and of which time, half open: by default the community's, from now on for a day."""

    start: TimeText = Field(default=None, alias="from")
    end: TimeText = Field(default=None, alias="to")
    owner: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None


class QuoteItem(Body):
    """The prices of one interval; without grid prices it lies in a tariff gap and is not settled."""

    start: Time
    local_micro_per_wh: PricePerWh | None
    grid_buy_micro_per_wh: PricePerWh | None
    grid_sell_micro_per_wh: PricePerWh | None


class QuoteAnswer(Body):
    """What one owner, or an owner without a tariff of its own (null), pays and is paid in each interval."""

    community: Identifier
    owner: Identifier | None
    seconds: int
    prices: list[QuoteItem]


class SitePricesQuery(Query):
    """From when on, by default from the interval that runs now, and for how long; fewer where they do not fit."""

    start: TimeText = Field(default=None, alias="from")
    hours: Annotated[int, Field(ge=1, le=HOURS_MAX)] = 36


class OwnerPricesMember(Body):
    """What an owner pays to the grid and is paid by it, interval by interval; null where there is no price yet."""

    grid_buy_micro_per_wh: list[int | None]
    grid_sell_micro_per_wh: list[int | None]


class SitePricesMessage(Body):
    """The prices of `count` intervals for every owner of a tap at the site."""

    v: Literal[1]
    site: Identifier
    community: Identifier
    currency: str | None
    points_per_unit: int | None
    start: Time
    seconds: int
    count: int
    local_micro_per_wh: list[int | None]
    owners: dict[Identifier, OwnerPricesMember]
