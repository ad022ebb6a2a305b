"""A purchase and what becomes of it: whatever order its provider's events come in, and however often, it ends the same.

Its state only ever rises (pending, processing, failed, paid), and what was refunded only ever grows: `paid` after
`failed` is money that has come, `failed` after `paid` is old news.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from cloud.wire.strict import IDENTIFIER

from .provider import Event

type State = Literal["pending", "processing", "failed", "paid"]
type Mismatch = Literal["unknown-reference", "other-provider", "other-currency", "other-amount", "account-full"]

STATES: Final[tuple[State, ...]] = ("pending", "processing", "failed", "paid")  # in the order they rise


@dataclass(frozen=True, slots=True)
class Purchase:
    """Points that an owner buys for an amount of a currency."""

    community: str
    owner: str
    purchase: str
    provider: str
    currency: str
    amount_minor: int
    points_micro: int
    made_at: int
    state: State = "pending"
    refunded_minor: int = 0
    paid_at: int | None = None

    @property
    def reference(self) -> str:
        """What the provider calls it: an event leads back to it by that alone."""
        return f"{self.community}:{self.purchase}"

    @property
    def credited_micro(self) -> int:
        """The points it has brought."""
        return self.points_micro if self.state == "paid" else 0

    @property
    def returned_micro(self) -> int:
        """The points a refund has taken, in proportion and rounded down; a purchase that brought none loses none."""
        return self.credited_micro * self.refunded_minor // self.amount_minor


def place_of(reference: str | None) -> tuple[str, str] | None:
    """Return the community and the purchase a reference leads to."""
    community, _, purchase = (reference or "").partition(":")
    both = IDENTIFIER.fullmatch(community) and IDENTIFIER.fullmatch(purchase)
    return (community, purchase) if both else None


def judge(purchase: Purchase | None, provider: str, event: Event) -> Purchase | Mismatch:
    """Return the purchase as it stands after an event, or why the event is not about it."""
    if purchase is None:
        return "unknown-reference"
    if purchase.provider != provider:
        return "other-provider"
    if purchase.currency != event.currency:
        return "other-currency"
    if purchase.amount_minor != event.amount_minor or event.refunded_minor > purchase.amount_minor:
        return "other-amount"
    told: State = "pending" if event.kind == "refunded" else event.kind
    return replace(
        purchase,
        state=max(purchase.state, told, key=STATES.index),
        refunded_minor=max(purchase.refunded_minor, event.refunded_minor),
    )
