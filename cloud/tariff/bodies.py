"""What the endpoint of this room reads and answers, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time

type Price = Annotated[
    str,
    Field(max_length=24, examples=["30", "-0.125"], description="points per kWh, up to 6 decimals, may be negative"),
]


class TariffBody(Body):
    """Prices from a time on: between owners (null: there is no local market), from the grid, to the grid."""

    local: Price | None
    grid_buy: Price
    grid_sell: Price


class TariffAnswer(TariffBody):
    """The tariff as it was asked for, also as the whole micro-points per Wh that intervals are settled by."""

    community: Identifier
    valid_from: Time
    local_micro_per_wh: int | None
    grid_buy_micro_per_wh: int
    grid_sell_micro_per_wh: int
    result: Literal["created", "exists", "replaced"]
