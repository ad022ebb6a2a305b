"""Credit between cloud and site: how each owner's points stand, and what the site's breakers did about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .strict import WireError, identifier, members, parse_time, plain_members, time_text, whole

CREDIT_OWNERS_MAX = 1000

# ok; low: soon used up; warning: used up, by one who pays later; cut: used up, by one who pays ahead
type CreditState = Literal["ok", "low", "warning", "cut"]

# what a site reports of a tap's breaker, as kinds of incidents; the detail is `breaker_detail`
CUT_OFF_DONE = "cut-off-done"
RESTORE_DONE = "restore-done"
BREAKER_FAILED = "breaker-failed"
BREAKER_INCIDENTS = (CUT_OFF_DONE, RESTORE_DONE, BREAKER_FAILED)


@dataclass(frozen=True, slots=True)
class OwnerCredit:
    """How an owner stands. Of those who pay ahead the balance is told too: all energy before `as_of` (s) is in it."""

    state: CreditState
    prepaid: bool
    balance_micro: int | None = None
    as_of: int | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this owner's part."""
        return plain_members(self) | ({} if self.as_of is None else {"as_of": time_text(self.as_of)})


@dataclass(frozen=True, slots=True)
class Credit:
    """Notice `credit`: how every owner of taps at the site stands; whoever is missing has no account yet."""

    owners: Mapping[str, OwnerCredit]

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this notice's body."""
        return {"owners": {owner: credit.plain() for owner, credit in self.owners.items()}}


def parse_credit(body: Mapping[str, Any]) -> Credit:
    """Read the body of a `credit` notice."""
    where = "notice.body"
    owners = members(body, "owners", where, CREDIT_OWNERS_MAX)
    return Credit(
        {
            identifier(owner, f"{where}.owners"): _owner(member, f"{where}.owners.{owner}")
            for owner, member in owners.items()
        }
    )


def _owner(data: Any, where: str) -> OwnerCredit:
    if not isinstance(data, dict):
        raise WireError(where, "is not an object")
    prepaid, balance, as_of = data.get("prepaid"), data.get("balance_micro"), data.get("as_of")
    if not isinstance(prepaid, bool):
        raise WireError(f"{where}.prepaid", "is neither true nor false")
    if (balance is None) != (as_of is None):
        raise WireError(where, "names only one of balance_micro and as_of")
    return OwnerCredit(
        _state(data.get("state"), f"{where}.state"),
        prepaid,
        None if balance is None else whole(balance, f"{where}.balance_micro"),
        None if as_of is None else parse_time(as_of, f"{where}.as_of"),
    )


def _state(value: Any, where: str) -> CreditState:
    if value not in get_args(CreditState.__value__):
        raise WireError(where, "is no known state")
    state: CreditState = value
    return state


def breaker_detail(owner: str, reason: str) -> str:
    """Return what an incident of a breaker says: for whom, and why."""
    return f"{owner} {reason}"


def parse_breaker_detail(detail: str) -> tuple[str, str]:
    """Read for whom and why a breaker did something."""
    owner, space, reason = detail.partition(" ")
    if not space:
        raise WireError("incident.detail", "does not name an owner and a reason")
    return identifier(owner, "incident.detail"), reason
