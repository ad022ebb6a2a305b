"""What entries beside those for energy are called: a kind, and the reference of what caused them, once for ever."""

from typing import Final, Literal

from cloud.wire import parse_time, time_text

type Kind = Literal[
    "purchase", "refund", "voucher", "redemption", "redemption-failed", "transfer", "v2g-host", "v2g-reward"
]

PURCHASE: Final = "purchase:"  # points bought through a payment provider
REFUND: Final = "refund:"  # a provider gave money back, so the points go back
VOUCHER: Final = "voucher:"  # points given for an operator's voucher
REDEMPTION: Final = "redemption:"  # points taken back for cash, and the fee for it
REDEMPTION_FAILED: Final = "redemption-failed:"  # the cash could not be paid out: points and fee come back
TRANSFER: Final = "transfer:"  # points one owner gave to another
V2G_HOST: Final = "v2g-host:"  # a host is given back what a cable's energy changed on the bill
V2G_REWARD: Final = "v2g-reward:"  # a cable has earned its driver something, or charged

PREFIXES: Final[dict[str, Kind]] = {  # of payments
    PURCHASE: "purchase",
    REFUND: "refund",
    VOUCHER: "voucher",
    REDEMPTION: "redemption",
    REDEMPTION_FAILED: "redemption-failed",
    TRANSFER: "transfer",
}
V2G_PREFIXES: Final[dict[str, Kind]] = {V2G_HOST: "v2g-host", V2G_REWARD: "v2g-reward"}
TIME_LETTERS: Final = len("2026-11-21T12:00:00Z")
REWARD_KINDS: Final = frozenset({"reward", "v2g-reward"})  # of movements: what statements add up as rewards


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


def v2g_host_cause(start: int, host: str, revision: int) -> str:
    """Return the cause of the entry that brings a host's leg of the interval from `start` to where it stands.

    `host` is the name the host bears in that interval's document, which nobody else can read.
    """
    return f"{V2G_HOST}{time_text(start)}:{host}:{revision}"


def v2g_reward_cause(start: int, period: str) -> str:
    """Return the cause of the entry that rewards the period from `start`; `period` tells no cable and no place."""
    return f"{V2G_REWARD}{time_text(start)}:{period}"


def v2g_start_of(cause: str) -> int | None:
    """Return when the interval began that a host's leg or a reward is about; None for every other cause."""
    prefix, _, rest = cause.partition(":")
    if f"{prefix}:" not in V2G_PREFIXES:
        return None
    return parse_time(rest[:TIME_LETTERS], "cause")


def kind_of(cause: str) -> Kind | None:
    """Return what kind of movement a cause names; None if it is another's, as those of energy are."""
    return (PREFIXES | V2G_PREFIXES).get(cause.partition(":")[0] + ":")


def reference_of(cause: str) -> str:
    """Return what caused a payment, by the name its own list knows it by."""
    return cause.split(":")[1]
