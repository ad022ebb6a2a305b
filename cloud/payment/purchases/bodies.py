"""What the endpoints of purchases and providers read and answer."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.endpoint import Body
from cloud.payment.money import AMOUNT_MINOR_MAX, POINTS_MAX
from cloud.sites.bodies import Identifier, Time

from .purchase import Mismatch, State

type Points = Annotated[int, Field(ge=1, le=POINTS_MAX, description="whole points")]
type Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
type Minor = Annotated[int, Field(description="in the currency's smallest unit: cents, yen")]


class PurchaseBody(Body):
    """So many points, or what an amount buys; one of the two."""

    provider: Identifier
    points: Points | None = None
    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.points is None) == (self.amount_minor is None):
            raise ValueError("give either points or amount_minor")
        return self


class PurchaseItem(Body):
    """A purchase as it stands. `paid` is money that has come; a refund takes points back in proportion."""

    id: Identifier
    provider: Identifier
    currency: Currency
    amount_minor: Minor
    points_micro: int
    state: State
    refunded_minor: Minor
    made_at: Time
    paid_at: Time | None


class PurchaseAnswer(PurchaseItem):
    """A purchase to be paid: `checkout` is what the provider's checkout must be opened with, as it is."""

    reference: Annotated[str, Field(description="what the provider must carry into every event about this purchase")]
    checkout: dict[str, str]


class PurchasesAnswer(Body):
    """An owner's purchases, oldest first."""

    purchases: list[PurchaseItem]


class ProvidersAnswer(Body):
    """How points can be had; `points_per_unit` is what a unit of the currency buys."""

    providers: list[Identifier]
    currency: Currency | None
    points_per_unit: int | None


class WebhookMessage(BaseModel):
    """An event in the provider's own words, signed over its raw bytes in the provider's own header."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    data: dict[str, Any]


class WebhookAnswer(Body):
    """What became of an event: it stands, or it is of a kind nobody needs here."""

    result: Literal["applied", "ignored"]


class UnmatchedItem(Body):
    """A signed event that fits no purchase, and why; nobody was credited."""

    id: Identifier
    provider: Identifier
    event: str
    kind: str
    reason: Mismatch
    reference: str | None
    currency: Currency
    amount_minor: Minor | None
    refunded_minor: Minor
    occurred_at: Time
    received_at: Time


class UnmatchedAnswer(Body):
    """Events kept aside, in the order they came."""

    events: list[UnmatchedItem]
