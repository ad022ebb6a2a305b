"""What entries beside those for energy are called: a kind, and the reference of what caused them, once for ever."""

from typing import Final, Literal

type Kind = Literal["purchase", "refund", "voucher", "redemption", "redemption-failed", "transfer"]

PURCHASE: Final = "purchase:"  # points bought through a payment provider
REFUND: Final = "refund:"  # a provider gave money back, so the points go back
VOUCHER: Final = "voucher:"  # points given for an operator's voucher
REDEMPTION: Final = "redemption:"  # points taken back for cash, and the fee for it
REDEMPTION_FAILED: Final = "redemption-failed:"  # the cash could not be paid out: points and fee come back
TRANSFER: Final = "transfer:"  # points one owner gave to another

PREFIXES: Final[dict[str, Kind]] = {
    PURCHASE: "purchase",
    REFUND: "refund",
    VOUCHER: "voucher",
    REDEMPTION: "redemption",
    REDEMPTION_FAILED: "redemption-failed",
    TRANSFER: "transfer",
}


def purchase_cause(purchase: str) -> str:
    """Return the cause of the entry that credits a purchase."""
    return PURCHASE + purchase


def refund_cause(purchase: str, refunded_minor: int) -> str:
    """Return the cause of the entry that brings what was refunded of a purchase, all in all, to this amount."""
    return f"{REFUND}{purchase}:{refunded_minor}"


def voucher_cause(voucher: str) -> str:
    """Return the cause of the entry that credits a voucher."""
    return VOUCHER + voucher


def redemption_cause(redemption: str) -> str:
    """Return the cause of the entry that takes points for cash."""
    return REDEMPTION + redemption


def redemption_failed_cause(redemption: str) -> str:
    """Return the cause of the entry that gives the points of a failed redemption back."""
    return REDEMPTION_FAILED + redemption


def transfer_cause(transfer: str) -> str:
    """Return the cause of the entry that moves points from an owner to another."""
    return TRANSFER + transfer


def kind_of(cause: str) -> Kind | None:
    """Return what kind of movement a cause names; None if it is another's, as those of energy are."""
    return PREFIXES.get(cause.partition(":")[0] + ":")


def reference_of(cause: str) -> str:
    """Return what caused an entry, by the name its own list knows it by."""
    return cause.split(":")[1]
