"""The port of payment providers: what a client hands to one, and what one's signed webhooks say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

type EventKind = Literal["processing", "paid", "failed", "refunded"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid; the provider must carry `reference` from the checkout into every event about it."""

    reference: str
    currency: str
    amount_minor: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider says of a payment: `amount_minor` is all of it, `refunded_minor` all given back so far."""

    event: str
    kind: EventKind
    reference: str | None
    currency: str
    amount_minor: int | None
    occurred_at: int
    refunded_minor: int = 0


type NoEvent = Literal["forged", "stale", "malformed", "ignored"]


class Provider(Protocol):
    """A payment provider. It is never called from here: its checkout is opened by whoever holds its key."""

    def checkout(self, order: Order) -> Mapping[str, str]:
        """Return the parameters that the provider's checkout is to be opened with."""
        ...

    def read(self, raw: bytes, signature: str, now: int) -> Event | NoEvent:
        """Return what a webhook's raw body says, if the provider has signed it lately."""
        ...

    @property
    def signature_header(self) -> str:
        """The header that carries the provider's signature."""
        ...
