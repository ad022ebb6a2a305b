"""Reads what one look needs, and keeps what it decides: findings, events, and demand rates where they are wanted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud.errors import CommonwattError
from cloud.hub.quantity import Quantity
from cloud.hub.watch.findings.finding import Finding, Look, decided, looked
from cloud.hub.watch.findings.store import WHO, keep, move_on, open_findings, standing_of
from cloud.hub.watch.flow import Flow, Wiring, chains
from cloud.hub.watch.limit import Limits, limit_of
from cloud.hub.watch.limits.store import limits_of
from cloud.hub.watch.rule import Mark
from cloud.hub.watch.sight.store import anything_near, systems_of, tap_of
from cloud.hub.watch.sight.streams import Instant
from cloud.hub.watch.store import SYSTEMS_MAX, Asked, NoEquipment, TooMany, look
from cloud.hub.watch.system import System
from cloud.hub.wiring.bodies import PERCENT_MAX
from cloud.hub.wiring.history.store import wiring_at
from cloud.hub.wiring.rates.store import DemandRate, newest_told, rate_and_tell
from cloud.hub.wiring.store import Rewired

RATE_SECONDS = 300  # a counted demand rate holds so long
RATE_AGAIN_SECONDS = 120  # so long before its end it is told again, though it is the same


@dataclass(frozen=True, slots=True)
class View:
    """What a look saw, and when the one before it was; `look` is None where nothing is there to be seen."""

    looked_ms: int
    look: Look | None
    flows: Sequence[Flow] = ()


class TooLarge(CommonwattError):  # noqa: N818 - for the job's log
    """A community has more systems than one look takes."""


def view_of(conn: Connection, community: str, at_ms: int, within_ms: int) -> View:
    """Return what there is to see in a community at an instant; it costs little where nothing came."""
    stands, opened = standing_of(conn, community), open_findings(conn, community)
    if not opened and not anything_near(conn, community, Instant(at_ms, within_ms)):
        return View(stands.looked_ms, None)
    seen = look(conn, Asked(community), at_ms, within_ms)
    if isinstance(seen, (NoEquipment, TooMany)):
        raise TooLarge(f"{community} has more than {SYSTEMS_MAX} systems; look below one piece of equipment at a time")
    limited = _limited(conn, community, at_ms, opened)
    found = Look(at_ms, looked(seen, at_ms), frozenset(seen.within), limited)
    return View(stands.looked_ms, found, seen.flows)


def _limited(conn: Connection, community: str, at_ms: int, opened: Iterable[Finding]) -> frozenset[Mark]:
    """Return which open marks something still limits."""
    wanted = [finding.mark for finding in opened]
    if not wanted:
        return frozenset()
    wiring, limits = wiring_at(conn, community, at_ms // 1000), limits_of(conn, community)
    known = {system.key: system for system, _ in systems_of(conn, community, SYSTEMS_MAX)}
    known |= {mark.name: tap for mark in wanted if (tap := tap_of(mark.name)) is not None}
    before = chains(wiring, known.values())
    return frozenset(mark for mark in wanted if _holds(mark, wiring, limits, known, before))


def _holds(mark: Mark, wiring: Wiring, limits: Limits, known: dict[str, System], before: dict[str, list[str]]) -> bool:
    if mark.about == "equipment":
        return mark.name in wiring and wiring[mark.name].carries_mva is not None
    if mark.name not in known:
        return False
    return limit_of(limits, mark.name, mark.point, Quantity(mark.quantity), before[mark.name]) is not None


def note(conn: Connection, community: str, view: View, *, at_ms: int, now_ms: int, tell: Rewired) -> bool:
    """Keep what follows from a look; False if another process was first."""
    stands = standing_of(conn, community)
    if view.look is None:
        return move_on(conn, community, view.looked_ms, at_ms, stands.pending)
    decision = decided(open_findings(conn, community), stands.pending, view.look)
    if not move_on(conn, community, view.looked_ms, at_ms, decision.pending):
        return False
    keep(conn, community, decision, now_ms)
    if stands.tells_demand:
        for flow in view.flows:
            if flow.load_percent is not None:
                rate = DemandRate(at_ms // 1000, at_ms // 1000 + RATE_SECONDS, min(flow.load_percent, PERCENT_MAX))
                if _news(conn, community, flow.equipment, rate, now_ms // 1000):
                    now = now_ms // 1000
                    rate_and_tell(conn, community, flow.equipment, rate, provider=WHO, now=now, tell=tell)
    return True


def _news(conn: Connection, community: str, equipment: str, rate: DemandRate, now: int) -> bool:
    """Tell whether a counted demand rate says more than what holds: its provider's word, or the same as just before."""
    newest = newest_told(conn, community, equipment)
    if newest is None or newest.rate.valid_until <= now:
        return True
    if newest.provider != WHO:
        return False
    return newest.rate.percent != rate.percent or newest.rate.valid_until - now <= RATE_AGAIN_SECONDS
