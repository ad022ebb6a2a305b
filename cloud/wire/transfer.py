"""How the taps of a site stand with their owners, as the cloud says: whose each is, and whose it is to become."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .strict import (
    VERSION,
    WireError,
    check_version,
    flag,
    identifier,
    load,
    members,
    parse_time,
    plain_members,
    take,
    time_text,
)
from .tree import TAPS_MAX


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """Notice `owner`: from the first tree valid at `not_before` or later, the tap is this owner's."""

    tap: str
    owner: str
    transfer: str
    not_before: int

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this notice's body."""
        return plain_members(self) | {"not_before": time_text(self.not_before)}


def parse_owner_change(body: Mapping[str, Any], where: str = "notice.body") -> OwnerChange:
    """Read the body of an `owner` notice."""
    return OwnerChange(
        tap=identifier(take(body, "tap", where), f"{where}.tap"),
        owner=identifier(take(body, "owner", where), f"{where}.owner"),
        transfer=identifier(take(body, "transfer", where), f"{where}.transfer"),
        not_before=parse_time(take(body, "not_before", where), f"{where}.not_before"),
    )


@dataclass(frozen=True, slots=True)
class TapStanding:
    """Whose a tap is, whether a passcode is set with which it can be transferred, and the transfer that is pending."""

    owner: str
    passcode: bool
    pending: OwnerChange | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this tap."""
        plain: dict[str, Any] = {"owner": self.owner, "passcode": self.passcode}
        return plain if self.pending is None else plain | {"pending": self.pending.plain()}


@dataclass(frozen=True, slots=True)
class TapStandings:
    """Every tap of a site's newest tree that the cloud holds. Answered to GET, signed by the cloud."""

    site: str
    taps: Mapping[str, TapStanding] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        return {"v": VERSION, "site": self.site, "taps": {tap: one.plain() for tap, one in self.taps.items()}}


def parse_tap_standings(raw: bytes) -> TapStandings:
    """Read how the taps of a site stand."""
    where = "taps"
    data = load(raw, where)
    check_version(data, where)
    return TapStandings(
        site=identifier(take(data, "site", where), f"{where}.site"),
        taps={
            identifier(tap, f"{where}.taps"): _standing(tap, one, f"{where}.taps.{tap}")
            for tap, one in members(data, "taps", where, TAPS_MAX).items()
        },
    )


def _standing(tap: str, data: Any, where: str) -> TapStanding:
    if not isinstance(data, dict):
        raise WireError(where, "is not an object")
    passcode = flag(data, "passcode", where)
    change = None
    if "pending" in data:
        change = parse_owner_change(members(data, "pending", where, 10), f"{where}.pending")
        if change.tap != tap:
            raise WireError(f"{where}.pending.tap", "is another tap")
    return TapStanding(identifier(take(data, "owner", where), f"{where}.owner"), passcode, change)


@dataclass(frozen=True, slots=True)
class TransferKept:
    """The answer to a transfer asked for: pending from `not_before` on; `effective_from` once it has taken effect."""

    transfer: str
    tap: str
    to_owner: str
    not_before: int
    effective_from: int | None = None


def parse_transfer_kept(raw: bytes) -> TransferKept:
    """Read the answer to a transfer asked for."""
    where = "transfer"
    data = load(raw, where)
    effective = data.get("effective_from")
    return TransferKept(
        transfer=identifier(take(data, "transfer", where), f"{where}.transfer"),
        tap=identifier(take(data, "tap", where), f"{where}.tap"),
        to_owner=identifier(take(data, "to_owner", where), f"{where}.to_owner"),
        not_before=parse_time(take(data, "not_before", where), f"{where}.not_before"),
        effective_from=None if effective is None else parse_time(effective, f"{where}.effective_from"),
    )
