"""Who can hold points: an account for each owner, and one for everything an owner's points come from or go to."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

type Kind = Literal["owner", "grid", "purchase", "voucher", "redemption", "fee", "aggregator"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind.__value__)
OWNER_MICRO_MAX: Final = 9 * 10**15  # sites are told it, and every JSON reader keeps whole numbers to 2**53 - 1
OTHER_MICRO_MAX: Final = 10**18  # the other side of everybody's balance; stays well within 64 bits
BALANCE_MICRO_MAX: Final[dict[Kind, int]] = {
    kind: OWNER_MICRO_MAX if kind == "owner" else OTHER_MICRO_MAX for kind in KINDS
}


@dataclass(frozen=True, slots=True)
class Account:
    """A place where points lie. `id` is its name within the community; `owner` is None where nobody's it is."""

    id: str
    kind: Kind
    owner: str | None


GRID = Account(id="grid", kind="grid", owner=None)  # of which everybody buys, and to which everybody sells
PURCHASE = Account(id="purchase", kind="purchase", owner=None)  # points sold through a payment provider
VOUCHER = Account(id="voucher", kind="voucher", owner=None)  # points given against the operator's vouchers
REDEMPTION = Account(id="redemption", kind="redemption", owner=None)  # points taken back for cash
FEE = Account(id="fee", kind="fee", owner=None)  # what the community keeps
AGGREGATOR = Account(id="aggregator", kind="aggregator", owner=None)  # pays rewards


def owner_account(owner: str) -> Account:
    """Return the account of an owner; the colon keeps it apart from every other account, for no id holds one."""
    return Account(id=f"owner:{owner}", kind="owner", owner=owner)
