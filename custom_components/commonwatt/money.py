"""What the main owner's energy has cost: fetched as it is settled, shown for today, kept as long-term statistics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
import json
from typing import Final
from urllib.parse import urlencode

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import async_add_external_statistics
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.unit_conversion import EnergyConverter

from .const import CONF_SITE, DOMAIN
from .coordinator import CommonwattConfigEntry
from .link import CloudClient
from .site import SiteSettings
from .statement import Day, Hour, Moved, Page, Settled, Tally, day, read_page, roll
from .store import Store
from .wire import time_text

RECORDER: Final = "recorder"
NOTE: Final = "money"
FIRST_LOOK: Final = timedelta(days=31)  # how far back a site looks that has kept no sums yet
AWAITED: Final = timedelta(days=3)  # an interval that is not settled by then comes as a correction, which counts later
PAGES_MAX: Final = 400
HOUR_SECONDS: Final = 3600
WH_PER_KWH: Final = 1000
MICRO: Final = 1_000_000

KINDS: Final = ("used", "supplied", "cost", "earned")

type Show = Callable[[Day], None]


@dataclass(frozen=True, slots=True)
class Sums:
    """Four running sums of the main owner: Wh used and supplied, micro-points paid and earned for them."""

    tallies: dict[str, Tally]

    @property
    def before(self) -> int:
        """From when on intervals are looked at again."""
        return min(tally.before for tally in self.tallies.values())


class SiteMoney:
    """An errand to the cloud: fetches the intervals settled since, adds them up, and writes them down."""

    def __init__(
        self, hass: HomeAssistant, entry: CommonwattConfigEntry, store: Store, settings: SiteSettings, show: Show
    ) -> None:
        """Take the site's outbox and settings; `show` is told how today stands."""
        self._hass = hass
        self._entry = entry
        self._store = store
        self._settings = settings
        self._show = show

    async def __call__(self, client: CloudClient) -> None:
        """Fetch, show, write, and only then remember how far: done twice, it changes nothing."""
        sums, midnight, now = await self._sums(), dt_util.start_of_local_day(), dt_util.utcnow()
        first = min(sums.before, int(midnight.timestamp()))
        page = await self._fetch(client, first, int(now.timestamp()))
        tomorrow = dt_util.start_of_local_day(midnight + timedelta(hours=36))
        costs = [Moved(item.start, -item.points_micro) for item in page.intervals] + list(page.corrections)
        self._show(day(page.intervals, costs, int(midnight.timestamp()), int(tomorrow.timestamp())))
        settled_before = max(page.settled_through or 0, int((now - AWAITED).timestamp()))
        moved = _moved(page.intervals, page.corrections)
        rolled = {kind: roll(tally, moved[kind], settled_before) for kind, tally in sums.tallies.items()}
        self._write({kind: hours for kind, (_, hours) in rolled.items()})
        await self._remember({kind: tally for kind, (tally, _) in rolled.items()})

    async def _fetch(self, client: CloudClient, first: int, end: int) -> Page:
        """Fetch the statement of [first, end), page by page."""
        found, start = Page((), (), None, None), first
        for _ in range(PAGES_MAX):
            query = urlencode({"owner": self._settings.main_owner, "from": time_text(start), "to": time_text(end)})
            raw, _ = await client.get_signed(f"/v1/sites/{client.site}/statement?{query}")
            page = read_page(raw)
            found = found.joined(page)
            if page.next is None or page.next <= start:
                break
            start = page.next
        return found

    async def _sums(self) -> Sums:
        kept = await self._store.run(self._store.outbox.note, NOTE)
        data = {} if kept is None else json.loads(kept)
        if data.get("owner") == self._settings.main_owner:
            return Sums({kind: Tally(*data["sums"][kind]) for kind in KINDS})
        since = int((dt_util.utcnow() - FIRST_LOOK).timestamp())
        return Sums(dict.fromkeys(KINDS, Tally(since - since % HOUR_SECONDS, 0)))

    async def _remember(self, tallies: dict[str, Tally]) -> None:
        sums = {kind: [tally.before, tally.total] for kind, tally in tallies.items()}
        note = json.dumps({"owner": self._settings.main_owner, "sums": sums}, sort_keys=True)
        await self._store.run(self._store.outbox.keep_note, NOTE, note)

    @callback
    def _write(self, hours: dict[str, list[Hour]]) -> None:
        """Write energy always, and money where the community has a currency: points are none."""
        if RECORDER not in self._hass.config.components:
            return
        self._write_sum("used", hours["used"], WH_PER_KWH)
        self._write_sum("supplied", hours["supplied"], WH_PER_KWH)
        if self._settings.currency is not None and self._settings.points_per_unit is not None:
            for kind in ("cost", "earned"):
                self._write_sum(kind, hours[kind], MICRO * self._settings.points_per_unit)

    def _write_sum(self, kind: str, hours: Sequence[Hour], per_unit: int) -> None:
        if not hours:
            return
        energy = kind in ("used", "supplied")
        owner = self._settings.owners[self._settings.main_owner]
        metadata = StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=f"{self._entry.title} {owner} {kind}",
            source=DOMAIN,
            statistic_id=statistic_id(self._entry.data[CONF_SITE], self._settings.main_owner, kind),
            unit_class=EnergyConverter.UNIT_CLASS if energy else None,
            unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR if energy else self._settings.currency,
        )
        rows = [
            StatisticData(
                start=dt_util.utc_from_timestamp(hour.start), state=hour.total / per_unit, sum=hour.total / per_unit
            )
            for hour in hours
        ]
        async_add_external_statistics(self._hass, metadata, rows)


def statistic_id(site: str, owner: str, kind: str) -> str:
    """Return what a statistic is called: of one site, one owner, and of what."""
    return f"{DOMAIN}:{slugify(f'{site}_{owner}_{kind}')}"


def _moved(intervals: Sequence[Settled], corrections: Sequence[Moved]) -> dict[str, list[Moved]]:
    """Sort by what was used and what was supplied; with negative prices either may cost or earn less than nothing."""
    return {
        "used": [Moved(item.start, item.net_wh) for item in intervals if item.net_wh > 0],
        "supplied": [Moved(item.start, -item.net_wh) for item in intervals if item.net_wh < 0],
        "cost": [Moved(item.start, -item.points_micro) for item in intervals if item.net_wh >= 0] + list(corrections),
        "earned": [Moved(item.start, item.points_micro) for item in intervals if item.net_wh < 0],
    }
