"""What the endpoints of this room read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.sites.bodies import Hash, Identifier, Time

type Micro = Annotated[int, Field(description="micro-points: millionths of a point")]

# not a named type: the parameters of a query are written out one by one, and a name would point nowhere
TimeText = Annotated[str | None, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class SettlementsQuery(Query):
    """A page of intervals: those that begin after a time."""

    after: TimeText = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class SettlementItem(Body):
    """An ended interval: settled, or waiting and what for.

    `grid_wh` is the grid's own net: negative where it delivered. `late` counts readings that came after the interval
    was settled and are not corrected yet, `revision` how often it was corrected. `entry` is the number of the ledger's
    entry, null where no points moved. A waiting interval waits for its cycle to end, for sites, for a tariff, or is
    due at the next turn.
    """

    start: Time
    seconds: int
    state: Literal["settled", "waiting"]
    reason: Literal["cycle", "sites", "tariff", "due"] | None
    waiting_for: list[Identifier]
    settled_without: list[Identifier]
    late: int
    revision: int | None
    grid_wh: int | None
    entry: int | None


class SettlementsAnswer(Body):
    """A page of intervals in order of time; `next` is the `after` of the next page, null on the last."""

    intervals: list[SettlementItem]
    next: Time | None


class BalanceItem(Body):
    """An owner and its points."""

    owner: Identifier
    name: str
    balance_micro: Micro


class BalancesAnswer(Body):
    """A page of the owners' balances by id, and the grid's: over all pages they sum to zero."""

    balances: list[BalanceItem]
    grid_micro: Micro
    settled_through: Time | None
    next: Identifier | None


class ProofAnswer(Body):
    """What the stored rows add up to, counted now. In a sound ledger every sum is 0 and no account is off.

    `energy_sum_wh`: all owners' nets and the grid's; `local_sum_wh`: what owners took from one another;
    `ledger_sum_micro`: all postings; `balance_sum_micro`: all balances; `accounts_off`: accounts whose balance is not
    the sum of their postings. `head` is the hash of the newest entry, over the whole chain before it.
    """

    energy_sum_wh: int
    local_sum_wh: int
    ledger_sum_micro: int
    balance_sum_micro: int
    accounts_off: int
    intervals: int
    entries: int
    postings: int
    head: Hash
