"""Who can hold points: an account for each owner, and one for the grid, of which everybody buys and sells."""

from dataclasses import dataclass
from typing import Literal

type Kind = Literal["owner", "grid"]

BALANCE_MICRO_MAX: dict[Kind, int] = {
    "owner": 9 * 10**15,  # sites are told it, and every JSON reader keeps whole numbers to 2**53 - 1
    "grid": 10**18,  # the other side of everybody's balance; stays well within 64 bits
}


@dataclass(frozen=True, slots=True)
class Account:
    """A place where points lie. `id` is its name within the community; `owner` is None where nobody's it is."""

    id: str
    kind: Kind
    owner: str | None


GRID = Account(id="grid", kind="grid", owner=None)


def owner_account(owner: str) -> Account:
    """Return the account of an owner; the colon keeps it apart from every other account, for no id holds one."""
    return Account(id=f"owner:{owner}", kind="owner", owner=owner)
