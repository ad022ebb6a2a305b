"""When a transfer takes effect, and whether a tree may say that a tap is somebody else's now."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.wire import Tree

LEAD_SECONDS = 60  # a site in reach hears of it, and plants its tree, before the boundary
LEAD_INTERVALS = 2  # where intervals are shorter than half of that


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a tap is by the newest tree it stood in; `since` is the boundary of its last transfer."""

    owner: str
    since: int | None
    rev: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tap passes from one owner to another: pending from `not_before` on, done once the site's tree says so."""

    transfer: str
    site: str
    tap: str
    from_owner: str
    to_owner: str
    asked_by: str
    asked_at: int
    not_before: int
    effective_from: int | None = None


def earliest(now: int, interval_seconds: int) -> int:
    """Return the first boundary that a transfer asked for now can take effect at."""
    heard = now + min(LEAD_SECONDS, LEAD_INTERVALS * interval_seconds)
    return -(-heard // interval_seconds) * interval_seconds


def handed_over(tree: Tree, known: Mapping[str, Owned], pending: Mapping[str, Transfer]) -> list[Transfer] | None:
    """Return the transfers that a tree carries out; None if it gives a tap to somebody without one that says so.

    A tap not known before is whose the site says. A tree must not reach back before a transfer either.
    """
    done = []
    for tap_id, tap in tree.taps.items():
        owned = known.get(tap_id)
        if owned is None:
            continue
        if owned.owner == tap.owner:
            if owned.since is not None and tree.valid_from < owned.since:
                return None
            continue
        asked = pending.get(tap_id)
        if asked is None or asked.to_owner != tap.owner or tree.valid_from < asked.not_before:
            return None
        done.append(asked)
    return done
