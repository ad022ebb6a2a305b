"""Judges a ledger as it stands: the chain of its entries, their postings, the balances, and what it all adds up to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloud.ledger.chain import START, Head, Link, hash_of
from cloud.ledger.posting import fault_of

from .finding import Finding, Place, absent, compare


@dataclass(frozen=True, slots=True)
class Totals:
    """What all rows of a community add up to, in whatever bucket they lie."""

    energy_wh: int = 0
    local_wh: int = 0
    postings_micro: int = 0


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account's stored balance, None where postings name one that is not there, and the sum of its postings."""

    account: str
    balance_micro: int | None
    postings_micro: int


def entries(community: str, links: Iterable[Link], head: Head) -> Iterator[Finding]:
    """Follow the chain from its first entry to its head, and look at what each entry moves.

    Each hash is worked out from its own row, so that one altered entry is one finding and not all that follow.
    """
    stands = START
    for item in links:
        place = Place("chain", community, "entry", {"number": item.number})
        if item.number != stands.number + 1:
            yield _gap(community, stands.number + 1, item.number - 1)
        elif item.prev_hash != stands.hash:
            yield Finding(place, "prev_hash", item.prev_hash, stands.hash)
        if item.hash != (recomputed := hash_of(item)):
            yield Finding(place, "hash", item.hash, recomputed)
        yield from _postings(community, item)
        stands = Head(item.number, item.hash)
    if head.number > stands.number:
        yield _gap(community, stands.number + 1, head.number)
    said = {"number": head.number, "hash": head.hash}
    place = Place("chain", community, "ledger_head", {})
    yield from compare(place, said, {"number": stands.number, "hash": stands.hash})


def _gap(community: str, first: int, last: int) -> Finding:
    place = Place("chain", community, "entry", {"number": first})
    return absent(place, f"entry {first}" if first == last else f"entries {first} to {last}")


def _postings(community: str, item: Link) -> Iterator[Finding]:
    place = Place("postings", community, "posting", {"number": item.number})
    total = sum(posting.amount_micro for posting in item.postings)
    if total:
        yield Finding(place, "sum(amount_micro)", total, 0)
    elif fault := fault_of(item.postings):
        yield Finding(place, "rows", fault, "an entry's postings")


def balances(community: str, rows: Iterable[AccountRow]) -> Iterator[Finding]:
    """Hold each balance against the sum of its postings."""
    for row in rows:
        place = Place("balances", community, "account", {"account": row.account})
        if row.balance_micro is None:
            yield absent(place, f"balance_micro {row.postings_micro}")
        elif row.balance_micro != row.postings_micro:
            yield Finding(place, "balance_micro", row.balance_micro, row.postings_micro)


def totals(community: str, found: Totals) -> Iterator[Finding]:
    """Hold every sum over the community against zero."""
    sums = {
        ("settled_owner_interval", "sum(net_wh) + sum(settled_interval.grid_wh)"): found.energy_wh,
        ("settled_owner_interval", "sum(local_wh)"): found.local_wh,
        ("posting", "sum(amount_micro)"): found.postings_micro,
    }
    for (table, column), total in sums.items():
        if total:
            yield Finding(Place("sums", community, table, {}), column, total, 0)
