"""What the endpoints of followed markets read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time, printed
from cloud.tariff.bodies import PricePerWh
from cloud.tariff.price import DECIMAL

type MarketNumber = Annotated[
    str,
    Field(pattern=rf"^{DECIMAL.pattern}$", examples=["1.19", "-0.5"], description="a decimal, up to 6 decimals"),
]
type MarketShare = Annotated[
    str,
    Field(
        pattern=r"^(0(\.[0-9]{1,2})?|1(\.0{1,2})?)$",
        examples=["0.5"],
        description="0: what the grid pays; 1: what is paid to it",
    ),
]
type MarketPoint = Annotated[str, Field(max_length=64, description="the market's area"), AfterValidator(printed)]
type MarketQuantity = Literal["price", "buy_price", "sell_price"]


class LegBody(Body):
    """Points per kWh: the market's price (in points, by `points_per_unit`) times `factor`, and `add` to it."""

    factor: MarketNumber = "1"
    add: MarketNumber = "0"
    quantity: MarketQuantity = "price"


class LocalBody(Body):
    """The local price: a share of the way between what the grid pays and what is paid to it, or of the market."""

    between: MarketShare | None = None
    leg: LegBody | None = None


class OwnerMarketBody(Body):
    """How one owner's series follows a device's prices."""

    device: Identifier
    point: MarketPoint = ""
    buy: LegBody
    sell: LegBody


class MarketBody(OwnerMarketBody):
    """How a community's series follows a device's prices; without `local` it has no market of its own."""

    local: LocalBody | None = None


class MarketRuleItem(MarketBody):
    """A rule as it holds for the intervals from `since` on, with the money it was made for."""

    currency: str
    points_per_unit: int
    since: Time
    until: Time | None


class MarketPriceItem(Body):
    """Prices as texts in points per kWh, and as the whole micro-points per Wh they were rounded to."""

    local: str | None
    grid_buy: str
    grid_sell: str
    local_micro_per_wh: PricePerWh | None
    grid_buy_micro_per_wh: PricePerWh
    grid_sell_micro_per_wh: PricePerWh


class MarketCorrectionItem(Body):
    """What the market said of an interval after its price was used, beside what stands; nothing settled changes."""

    start: Time
    noticed_at: Time
    stands: MarketPriceItem | None
    said: MarketPriceItem


class NoPriceItem(Body):
    """Intervals without a price, and why: not known, two prices for one time, or beyond what a price can be."""

    start: Time
    end: Time
    reason: Literal["missing", "contradicts", "beyond"]


class MarketAnswer(Body):
    """How a series follows its market, and how far it has come.

    `trouble` is why nothing more is taken over. `gaps` are those of the last weeks and of what is known ahead;
    `latest` are the newest of all `corrections`.
    """

    rules: list[MarketRuleItem]
    trouble: Literal["no-device", "currency-differs"] | None
    known_until: Annotated[Time | None, Field(description="until when the market's prices are known")]
    gaps: list[NoPriceItem]
    corrections: int
    latest: list[MarketCorrectionItem]


class MarketPutAnswer(Body):
    """What became of the rule; prices follow within a minute."""

    result: Literal["created", "exists", "replaced"]
