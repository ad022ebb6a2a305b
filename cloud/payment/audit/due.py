"""What payments must have moved, from their own rows; held against what the ledger says they moved. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloud.ledger.account import FEE, PURCHASE, REDEMPTION, VOUCHER, owner_account
from cloud.ledger.cause import Kind, kind_of, reference_of

type Moved = Mapping[str, int]  # micro-points by account
type Payment = tuple[str, str]  # the table that keeps it, and its id there

TABLES: Mapping[Kind, str] = {
    "purchase": "purchase",
    "refund": "purchase",
    "voucher": "voucher",
    "redemption": "redemption",
    "redemption-failed": "redemption",
    "transfer": "points_transfer",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A payment whose entries moved something else than its row says; what moved nothing is empty."""

    table: str
    key: str
    posted_micro: Moved
    due_micro: Moved


def purchased(owner: str, points_micro: int) -> Moved:
    """Return what a purchase moves all in all: what it brought, less what its refunds took."""
    return {owner_account(owner).id: points_micro, PURCHASE.id: -points_micro}


def given(owner: str, points_micro: int) -> Moved:
    """Return what a voucher moves."""
    return {owner_account(owner).id: points_micro, VOUCHER.id: -points_micro}


def redeemed(owner: str, points_micro: int, fee_micro: int) -> Moved:
    """Return what a redemption moves; one whose cash could not be paid out moves nothing all in all."""
    return {owner_account(owner).id: -points_micro, REDEMPTION.id: points_micro - fee_micro, FEE.id: fee_micro}


def passed_on(from_owner: str, to_owner: str, points_micro: int) -> Moved:
    """Return what a gift moves."""
    return {owner_account(from_owner).id: -points_micro, owner_account(to_owner).id: points_micro}


def sums(legs: Iterable[tuple[str, str, int]]) -> dict[Payment, dict[str, int]]:
    """Add up what entries moved, by payment; takes (cause, account, micro-points) and leaves out what is no payment."""
    moved: dict[Payment, dict[str, int]] = {}
    for cause, account, amount_micro in legs:
        kind = kind_of(cause)
        if kind is not None and kind in TABLES:
            of_payment = moved.setdefault((TABLES[kind], reference_of(cause)), defaultdict(int))
            of_payment[account] += amount_micro
    return moved


def differences(due: Mapping[Payment, Moved], posted: Mapping[Payment, Moved]) -> Iterator[Difference]:
    """Find each payment of which the ledger tells something else, and each that nothing accounts for."""
    for payment in sorted(due.keys() | posted.keys()):
        wanted, found = _moving(due.get(payment, {})), _moving(posted.get(payment, {}))
        if wanted != found:
            yield Difference(*payment, found, wanted)


def _moving(moved: Moved) -> dict[str, int]:
    return {account: amount_micro for account, amount_micro in sorted(moved.items()) if amount_micro}
