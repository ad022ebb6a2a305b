"""What the endpoints of this room read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time

type NeighbourPrice = Annotated[
    str,
    Field(max_length=24, examples=["25", "-0.125"], description="points per kWh, up to 6 decimals, may be negative"),
]


class NeighbourLinkBody(Body):
    """What two owners pay one another for energy over their own line; null: it joins the community's share again."""

    owner_a: Identifier
    owner_b: Identifier
    price: NeighbourPrice | None


class NeighbourLinkItem(Body):
    """An agreement from a time on, with the whole micro-points per Wh that intervals are settled by."""

    owner_a: Identifier
    owner_b: Identifier
    valid_from: Time
    price_micro_per_wh: int | None


class NeighbourLinkAnswer(NeighbourLinkItem):
    """What is kept now."""

    community: Identifier
    result: Literal["created", "exists", "replaced"]


class NeighbourLinksAnswer(Body):
    """Every agreement of a community there is or was, by pair and time; `truncated` where there are more."""

    links: list[NeighbourLinkItem]
    truncated: bool
