"""What a cable may do at a site: of everything that has a say, the strictest wins. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cloud.wire.cable import Cause, Permission

type CableState = Literal["active", "stolen", "revoked", "two-places"]

STRICTNESS: Final[dict[Permission, int]] = {"allowed": 0, "charge_only": 1, "denied": 2}


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """What a site lets any cable do, why and since when; or what one cause alone would let it do."""

    permission: Permission
    cause: Cause
    since: int


FREE = SiteStanding("allowed", "none", 0)


def strictest(standings: Sequence[SiteStanding]) -> SiteStanding:
    """Return what forbids most; of equals the one that is named first."""
    return max(standings, key=lambda standing: STRICTNESS[standing.permission], default=FREE)


def of_cable(state: str | None, since: int) -> SiteStanding:
    """Return what a cable's own state lets it do anywhere; None: the cloud does not know the cable."""
    match state:
        case "active":
            return FREE
        case None:
            return SiteStanding("denied", "unknown-cable", since)
        case "stolen":
            return SiteStanding("denied", "stolen", since)
        case "two-places":
            return SiteStanding("denied", "two-places", since)
        case _:
            return SiteStanding("denied", "revoked", since)


def of_distance(distance_m: int | None, most_m: int, since: int) -> SiteStanding:
    """Return what the place lets a cable do; a place that is not known, of cable or site, says nothing."""
    if distance_m is None or distance_m <= most_m:
        return FREE
    return SiteStanding("denied", "place", since)


def of_demand(rates: Sequence[tuple[int, int]], most_percent: int) -> SiteStanding:
    """Return what the grid equipment before a site lets cables do.

    `rates` are the demand rates in percent that hold now, each with the time since when; at the limit is over it.
    """
    over = [since for percent, since in rates if percent >= most_percent]
    return SiteStanding("denied", "overload", min(over)) if over else FREE


def combined(cable: SiteStanding, site: SiteStanding, place: SiteStanding) -> SiteStanding:
    """Return what this cable may do at this site now: the strictest; of equals the cable's own state is named first."""
    return strictest((cable, site, place))
