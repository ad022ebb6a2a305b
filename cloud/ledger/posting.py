"""An entry: what one cause moved between accounts. Its postings sum to zero, or it cannot even be made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

AMOUNT_MICRO_MAX = 10**15  # a thousand million points in one posting; thousands of them still add up within 64 bits


class LedgerInvariantError(AssertionError):
    """The ledger would no longer be true: a mistake of ours or a hand in the database, never a caller's."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg: an account gains (positive) or gives (negative) micro-points."""

    account: str
    amount_micro: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement, named by its `cause`, which posts once for ever.

    `valued_at` is the time it belongs to (for energy the interval's start), `made_at` when it was written; `evidence`
    is the digest of what it was made from, so that the chain of entries also seals its causes.
    """

    community: str
    cause: str
    valued_at: int
    made_at: int
    evidence: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Refuse what no ledger may hold."""
        fault = fault_of(self.postings)
        if fault is not None:
            raise LedgerInvariantError(f"{self.community} {self.cause}: {fault}")

    def same_as(self, other: Entry) -> bool:
        """Tell whether two entries move the same for the same reason; when they were written does not matter."""
        return (self.community, self.cause, self.valued_at, self.evidence, self.postings) == (
            other.community,
            other.cause,
            other.valued_at,
            other.evidence,
            other.postings,
        )


def postings_of(amounts_micro: Mapping[str, int]) -> tuple[Posting, ...]:
    """Return the legs of these amounts by account id, in their one order; an account that moves nothing has none."""
    return tuple(Posting(account, amount) for account, amount in sorted(amounts_micro.items()) if amount)


def fault_of(postings: Sequence[Posting]) -> str | None:
    """Return what keeps these postings from being an entry, None if nothing does."""
    accounts = [posting.account for posting in postings]
    if accounts != sorted(set(accounts)):
        return "accounts are not in ascending order, each once"
    if any(type(posting.amount_micro) is not int or posting.amount_micro == 0 for posting in postings):
        return "an amount is not a whole number other than zero"
    if any(abs(posting.amount_micro) > AMOUNT_MICRO_MAX for posting in postings):
        return f"an amount is beyond {AMOUNT_MICRO_MAX} micro-points"
    if total := sum(posting.amount_micro for posting in postings):
        return f"the postings sum to {total}, not to zero"
    return None if postings else "there are no postings"
