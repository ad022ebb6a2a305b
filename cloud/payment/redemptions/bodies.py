"""What the endpoints of redemptions read and answer."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cloud.endpoint import Body, Query
from cloud.payment.money import POINTS_MAX
from cloud.payment.purchases.bodies import Currency, Minor, Points
from cloud.sites.bodies import Identifier, Time, printed

from .rule import basis_points


def _percent(text: str) -> str:
    if basis_points(text) is None:
        raise ValueError("is no percentage from 0 to 100 like 2.5")
    return text


class RedemptionRuleBody(Body):
    """How points become cash, and what the community keeps: `fee_points` of each, or `fee_percent` of the points."""

    enabled: bool
    minimum_points: Points
    points_per_unit: Annotated[int, Field(ge=1, le=1_000_000, description="points that a unit of the currency costs")]
    fee_points: Annotated[int, Field(ge=0, le=POINTS_MAX)] = 0
    fee_percent: Annotated[str, Field(max_length=6, examples=["2.5"]), AfterValidator(_percent)] = "0"

    @model_validator(mode="after")
    def _one_fee(self) -> Self:
        if self.fee_points and basis_points(self.fee_percent):
            raise ValueError("give either fee_points or fee_percent")
        return self


class RedemptionRuleAnswer(RedemptionRuleBody):
    """The rule as it stands."""

    community: Identifier


class RedemptionBody(Body):
    """Whole points for cash; `key` is the caller's own name for it, so that asking again asks for the same."""

    points: Points
    key: Identifier


class RedemptionItem(Body):
    """A redemption as it stands: `points_micro` have left the owner, `fee_micro` of them is the fee."""

    id: Identifier
    key: Identifier
    points_micro: int
    fee_micro: int
    currency: Currency
    amount_minor: Minor
    payment_provider: Identifier
    state: Literal["requested", "paid", "failed"]
    requested_at: Time
    decided_at: Time | None
    note: str | None


class RedemptionsAnswer(Body):
    """An owner's redemptions, oldest first."""

    redemptions: list[RedemptionItem]


class PayoutItem(RedemptionItem):
    """A redemption as staff sees it: whom to pay, by the provider's name for the means of payment."""

    owner: Identifier
    payment_token: str
    decided_by: str | None


class PayoutsAnswer(Body):
    """The redemptions of a community, oldest first."""

    redemptions: list[PayoutItem]


class PayoutsQuery(Query):
    """A page of redemptions, of one state or any."""

    state: Literal["requested", "paid", "failed"] | None = None
    after: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    limit: int = Field(default=100, ge=1, le=1000)


class DecisionBody(Body):
    """What the owner reads about it: the payment's number, or why it failed."""

    note: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printed)]
