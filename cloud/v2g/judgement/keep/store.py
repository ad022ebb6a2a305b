"""Keeps what the judgement of a site's periods came to, sets its flag, and tells its cables: one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cloud.database import bucket_of
from cloud.sites.store import site_of
from cloud.v2g.agreement import Tolerance
from cloud.v2g.judgement.outcome import ENDED, Outcome, Past, guilt, heard, outcome, together
from cloud.v2g.judgement.rule import Judged, Word, judge, words_of
from cloud.v2g.judgement.sight.store import Sight
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.permission.rule import STRICTNESS, SiteStanding
from cloud.v2g.permission.store import decided_at, flags_of, set_flag, tell_permission
from cloud.v2g.reward.reward import Rate, reward
from cloud.v2g.terms.store import terms_of
from cloud.v2g.terms.terms import Terms

DOUBTS = frozenset({"suspect", "unknown"})
DAY_SECONDS = 86_400  # without a mismatch: a witness of what matched, where no later periods come
SEEN = ("state", "verdict", "cause", "energy_wh", "judged_at")
PAST_ROWS_MAX = 1000  # of a site, looked back upon for its flag

type Key = tuple[int, str]  # start, cable


@dataclass(frozen=True, slots=True)
class Kept:
    """How many periods are judged otherwise than before, and whether the site was told anything."""

    changed: int
    told: bool


def keep(conn: Connection, sight: Sight, now: int) -> Kept:
    """Judge what is seen of a site and keep it. What has ended meanwhile stays as it ended."""
    site = site_of(conn, sight.community, sight.site, locked=True)
    if site is None:
        return Kept(0, told=False)
    aged_to = now - DAY_SECONDS // site.time_scale
    terms = terms_of(conn, sight.community)
    tolerance = Tolerance(terms.tolerance_wh, terms.tolerance_percent)
    words = words_of(sight.looks, sight.readings, tolerance)
    judged = _judged(sight, words, tolerance)
    pasts = [_past(start, list(rows), judged, words) for start, rows in groupby(sight.rows, attrgetter("start"))]
    later = {start: [past for at, past in pasts if at > start] for start, _ in pasts}
    waits = _Waiting(conn, sight.community)
    changed, guilty = 0, False
    for row in sight.rows:
        word = words.get(row.start)
        if row.state in ENDED:
            changed += (heard_now := _keep_word(conn, row, word))
            guilty = guilty or (heard_now > 0 and word is not None and word.verdict == "mismatch")
        elif (found := judged.get((row.start, row.cable))) is not None:
            over = found.verdict in DOUBTS and waits.over_cap(row, found.energy_wh, terms.pending_cap_micro)
            stopped = any(
                first < row.start + row.seconds and end > row.start for first, end in sight.stopped[row.cable]
            )
            aged = row.start + row.seconds <= aged_to
            ended = outcome(found, later[row.start], terms.look_back, over_cap=over, stopped=stopped, aged=aged)
            kept = _keep(conn, row, _values(row, found, ended, word) | dict(sight.drivers[row.cable]), now)
            changed, guilty = changed + kept, guilty or (kept > 0 and found.verdict == "mismatch")
    told = guilty and _flag(conn, sight, terms, now) and tell_permission(conn, sight.community, sight.site, now)
    return Kept(changed, told)


def keep_all(conn: Connection, sights: Sequence[Sight], now: int) -> Kept:
    """Judge what is seen of several sites of one community and keep it, all or nothing."""
    kept = [keep(conn, sight, now) for sight in sights]
    return Kept(sum(item.changed for item in kept), told=any(item.told for item in kept))


def _judged(sight: Sight, words: Mapping[int, Word], tolerance: Tolerance) -> dict[Key, Judged]:
    return {
        (start, cable): heard(verdict, words.get(start))
        for start, look in sight.looks.items()
        for cable, verdict in judge(look, tolerance).items()
    }


def _past(
    start: int, rows: Sequence[Row[Any]], judged: Mapping[Key, Judged], words: Mapping[int, Word]
) -> tuple[int, Past | None]:
    """Return a period as the look-back will see it once this judgement is kept."""
    word = words[start].verdict if start in words else None
    cables = []
    for row in rows:
        found = judged.get((start, row.cable))
        if row.state in ENDED or found is None:
            cables.append((row.verdict, row.basis, row.cause, word or row.utility_verdict))
        else:
            cables.append((found.verdict, found.basis, found.cause, word))
    return start, together(start, cables)


class _Waiting:
    """What waits for a cable in this community: the terms bound what more may wait on mere doubt."""

    def __init__(self, conn: Connection, community: str) -> None:
        self._conn, self._community = conn, community
        self._rates: dict[int, Rate] = {}

    def over_cap(self, row: Row[Any], energy_wh: int, cap_micro: int) -> bool:
        """Tell whether more would wait on doubt than may; what is withheld for that stays so."""
        if row.cause == "pending-cap":
            return True
        earned = self._earned(row, energy_wh)
        if earned == 0:
            return False
        j = judged_period_table.c
        rows = select(j.site, j.start, j.connected, j.energy_wh)
        rows = rows.filter_by(bucket=row.bucket, community=self._community, state="pending", cable=row.cable)
        rows = rows.where(j.verdict.in_(DOUBTS), j.cause != "waiting")
        others = [other for other in self._conn.execute(rows) if (other.site, other.start) != (row.site, row.start)]
        return earned + sum(self._earned(other, other.energy_wh) for other in others) > cap_micro

    def _earned(self, row: Row[Any], energy_wh: int) -> int:
        if row.start not in self._rates:
            terms = terms_of(self._conn, self._community, row.start)
            self._rates[row.start] = Rate(terms.base_micro, terms.price_micro_per_wh)
        return max(0, reward(self._rates[row.start], energy_wh, connected=bool(row.connected)).micro)


def _values(row: Row[Any], found: Judged, ended: Outcome, word: Word | None) -> dict[str, Any]:
    return {
        "energy_wh": found.energy_wh,
        "records": found.records,
        "basis": found.basis,
        "utility_wh": row.utility_wh if word is None else word.net_wh,
        "utility_verdict": row.utility_verdict if word is None else word.verdict,
        "verdict": found.verdict,
        "cause": ended.cause,
        "witness": ended.witness,
        "state": ended.state,
    }


def _keep(conn: Connection, row: Row[Any], values: Mapping[str, Any], now: int) -> int:
    if all(getattr(row, name) == value for name, value in values.items()):
        return 0
    times = {"judged_at": now, "decided_at": now if values["state"] in ENDED else None}
    seen = {name: getattr(row, name) for name in SEEN}  # another may have judged since, by newer evidence
    mine = update(judged_period_table).filter_by(**_key(row), **seen).where(judged_period_table.c.state.not_in(ENDED))
    return int(conn.execute(mine.values(dict(values) | times)).rowcount)


def _keep_word(conn: Connection, row: Row[Any], word: Word | None) -> int:
    """Note what the provider's readings say of a period that has ended: it counts for the site, and moves no money."""
    if word is None or (row.utility_wh, row.utility_verdict) == (word.net_wh, word.verdict):
        return 0
    values = {"utility_wh": word.net_wh, "utility_verdict": word.verdict}
    conn.execute(update(judged_period_table).filter_by(**_key(row)).values(values))
    return 1


def _key(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("bucket", "community", "site", "start", "cable")}


def _flag(conn: Connection, sight: Sight, terms: Terms, now: int) -> bool:
    """Take the permission from a site whose periods speak against it, unless it has no more than that already.

    Only periods that began after a person last decided on it count. Tells whether it was taken now.
    """
    newest = flags_of(conn, sight.community, sight.site)
    stands = newest[0] if newest else None
    since = decided_at(conn, sight.community, sight.site)
    if stands is not None and STRICTNESS[stands.permission] >= STRICTNESS[terms.flag_permission]:
        return False
    found = guilt(past_of(conn, sight.community, sight.site, since), terms)
    if found is None:
        return False
    standing = SiteStanding(terms.flag_permission, found.cause, now)
    set_flag(conn, sight.community, sight.site, standing, evidence=found.evidence)
    return True


def past_of(conn: Connection, community: str, site: str, since: int) -> list[Past]:
    """Return a site's judged periods as its flag is decided by, the newest first."""
    j = judged_period_table.c
    rows = select(j.start, j.verdict, j.basis, j.cause, j.utility_verdict)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site).where(j.start >= since)
    listed = conn.execute(rows.order_by(j.start.desc(), j.cable).limit(PAST_ROWS_MAX)).all()
    found = []
    for start, group in groupby(listed, attrgetter("start")):
        past = together(start, [(row.verdict, row.basis, row.cause, row.utility_verdict) for row in group])
        if past is not None:
            found.append(past)
    return found
