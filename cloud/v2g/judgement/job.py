"""Judges periods of cables as evidence comes in, and takes permission back where grid equipment data go stale."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import batched, groupby
from operator import itemgetter

from cloud.hub.wiring.rates.store import gone_stale
from cloud.v2g.permission.store import tell_permission, untold
from cloud.v2g.provider.readings.store import told_since
from cloud.v2g.reward.store import tell_drivers
from cloud.v2g.turn import Hands

from .keep.store import keep_all
from .sight.store import Sight, sights_of
from .work import store
from .work.store import SitePlace

LOOK_BACK_SECONDS = 30  # a transaction may commit this long after the time its rows bear
START_SECONDS = 3600  # what came so long before this process began is looked at anew
WAITING_SECONDS = 5  # then periods that wait for records are looked at again: their grace may be over
ALL_SECONDS = 60  # then everything that is pending is looked at again, though nothing came
ROUND_SECONDS = 3600  # then what is withheld, too: what speaks for it may have come while no judge was there
TOGETHER = 20  # sites in one transaction: one flush for all
BEGINNING = ("", "")


@dataclass(eq=False, slots=True)
class Rounds:
    """Looks through all sites of one kind again and again, a page a turn, and begins anew after so many seconds."""

    seconds: int
    begun_at: int = 0
    after: SitePlace = BEGINNING

    async def page(self, listed: Callable[[SitePlace], Awaitable[list[SitePlace]]], now: int) -> list[SitePlace]:
        """Return the next page; nothing while the round is over and the next one has not begun."""
        if self.after == BEGINNING:
            if now < self.begun_at + self.seconds:
                return []
            self.begun_at = now
        found = await listed(self.after)
        self.after = found[-1] if len(found) == store.SITES_MAX else BEGINNING
        return found


@dataclass(eq=False, slots=True)
class Judge:
    """The judgement of one process. Others may judge the same periods: whoever comes second finds it done."""

    since: int = 0  # periods reported before are admitted
    news_since: int | None = None  # records and readings stored before were looked at
    stale_since: int | None = None
    wide_at: int = 0  # when periods of the last hour were looked for, not only the newest: clocks differ
    waiting: Rounds = field(default_factory=lambda: Rounds(WAITING_SECONDS))
    pending: Rounds = field(default_factory=lambda: Rounds(ALL_SECONDS))
    withheld: Rounds = field(default_factory=lambda: Rounds(ROUND_SECONDS))
    records: set[tuple[str, int]] = field(default_factory=set)
    told: set[tuple[str, str, int, int, int, int]] = field(default_factory=set)

    @property
    def rests(self) -> bool:
        """Whether no round through the sites is under way."""
        return all(item.after == BEGINNING for item in (self.waiting, self.pending, self.withheld))

    async def turn(self, hands: Hands, now: int) -> int:
        """Admit what is new, judge wherever something is, and tell what went stale; return how much was done."""
        admitted = await self._admit(hands, now)
        places = dict.fromkeys((row["community"], row["site"]) for row in admitted) | await self._due(hands, now)
        done = len(admitted)
        for _, group in groupby(sorted(places.items(), key=itemgetter(0)), lambda item: item[0][0]):
            for some in batched(group, TOGETHER, strict=False):
                done += await self._judge_all(hands, dict(some), now)
        await self._tell(hands, sorted(places), now)  # reports and records say where a cable is, too
        await self._stale(hands, now)
        return done

    async def _admit(self, hands: Hands, now: int) -> list[store.Admission]:
        since = self.since
        if now >= self.wide_at + ALL_SECONDS:
            since, self.wide_at = min(since, now - START_SECONDS), now
        found = await hands.database.read(store.newcomers, since)
        for _, group in groupby(sorted(found, key=itemgetter("community")), itemgetter("community")):
            await hands.database.write(store.admit, list(group), now)
        if len(found) < store.ADMITTED_MAX:
            self.since = max(self.since, now - LOOK_BACK_SECONDS)
        return found

    async def _due(self, hands: Hands, now: int) -> dict[SitePlace, int | None]:
        """Return the sites to look at, and from which period on where that may have ended already."""
        read, since = hands.database.read, now - START_SECONDS if self.news_since is None else self.news_since
        due: dict[SitePlace, int | None] = dict.fromkeys(
            await self.waiting.page(lambda after: read(store.waiting_sites, after), now)
        )
        due |= dict.fromkeys(await self.pending.page(lambda after: read(store.open_sites, after), now))
        due |= dict.fromkeys(await self.withheld.page(lambda after: read(store.withheld_sites, after), now))
        records = set(await read(store.signed_since, since))
        due |= dict.fromkeys(await read(store.signed_sites, records - self.records))
        told = set(await read(told_since, since))
        for item in told - self.told:
            place = item[0], item[1]
            due[place] = min(item[2], due.get(place) or item[2])
        self.records, self.told, self.news_since = records, told, now - LOOK_BACK_SECONDS
        return due

    async def _judge_all(self, hands: Hands, places: dict[SitePlace, int | None], now: int) -> int:
        """Judge several sites of a community in one transaction; where that fails, each in one of its own."""
        together = await hands.guarded("judging", self._judge(hands, places, now))
        if together is not None or len(places) == 1:
            hands.failing.difference_update(map(_step, places) if together is not None else ())
            return together or 0
        done = 0
        for place, since in places.items():
            done += await hands.guarded(_step(place), self._judge(hands, {place: since}, now)) or 0
        return done

    async def _judge(self, hands: Hands, places: dict[SitePlace, int | None], now: int) -> int:
        sights = await hands.database.read(sights_of, places, now)
        if not sights:
            return 0
        kept = await hands.database.write(keep_all, sights, now)
        if kept.told:
            hands.ring()
        if kept.changed:
            await self._tell_drivers(hands, sights, now)
        return kept.changed

    async def _tell_drivers(self, hands: Hands, sights: Sequence[Sight], now: int) -> None:
        """Let the drivers of these cables look again at what waits for them, each in the driver's own community."""
        drivers: defaultdict[str, set[str]] = defaultdict(set)
        for driver in (driver for sight in sights for driver in sight.drivers.values()):
            if (community := driver["driver_community"]) is not None and driver["driver"] is not None:
                drivers[community].add(driver["driver"])
        for community, names in drivers.items():
            await hands.database.write(tell_drivers, community, names, now)  # within a second will do: no bell

    async def _stale(self, hands: Hands, now: int) -> None:
        """Tell sites whose grid equipment's demand rate holds no longer; in the first turn, of the time before it."""
        since = now - START_SECONDS if self.stale_since is None else self.stale_since
        await self._tell(hands, await hands.database.read(gone_stale, since, now), now)
        self.stale_since = now

    async def _tell(self, hands: Hands, places: list[SitePlace], now: int) -> None:
        for community, site in await hands.database.read(untold, places, now):
            if await hands.database.write(tell_permission, community, site, now):
                hands.ring()


def _step(place: SitePlace) -> str:
    return f"judging {place[1]}"
