"""The action that verifies statements: fetched while the cloud is there, verified in words when it is gone."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
import pytest_socket

from cloud.principal import CloudKey
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.link import KeptInterval, Outbox, Paper
from custom_components.commonwatt.link.statements import ALTERED, FINAL, OPEN
from custom_components.commonwatt.wire import TapColumns, time_text, to_bytes
from custom_components.commonwatt.wire.prices import OwnerPrices, Prices

from .fake_cloud import SITE, FakeCloud
from .house import MockConfigEntry, entities_source, subentry
from .scribe import DAY, HALF_HOUR, NETS, PRICES, Scribe, nothing
from .test_cloud import until

DAY_SECONDS = 86_400
NOW = DAY + DAY_SECONDS + 3600


@pytest.fixture
def expected_logs(expected_logs: list[str]) -> list[str]:
    """Let the cloud go away, and lie."""
    return [*expected_logs, "Out of step with the cloud", "The cloud says something otherwise", "another root"]


class Day:
    """What the fake cloud says of the scribe's day; of other days nothing."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.scribe = Scribe()
        self.changes: dict[str, Any] = {}

    def __call__(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Answer a query for a day."""
        if query["from"] != time_text(DAY) or "proof" not in query:
            return (
                {"v": 1, "lines": [], "corrections": [], "next": None}
                if "proof" not in query
                else nothing(query, "lane")
            )
        page, root = self.scribe.statement()
        signed = CloudKey(self.cloud.private.private_bytes_raw()).sign_compact(root)
        return replace(page, sites=(SITE,), roots=(signed,), **self.changes).plain()


@pytest.fixture
def day(cloud: FakeCloud) -> Day:
    """Return what the fake cloud gives out once the house is asked to fetch it."""
    return Day(cloud)


@pytest.fixture
async def paired(
    hass: HomeAssistant,
    day: Day,
    make_paired: Callable[..., MockConfigEntry],
    freezer: FrozenDateTimeFactory,
) -> MockConfigEntry:
    """Run Anna's house, which has measured the scribe's day and keeps it."""
    freezer.move_to(datetime.fromtimestamp(NOW, UTC))
    entry = make_paired(subentry("T1", "meter", source=entities_source("sensor.in", "sensor.out")), community="lane")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def outbox_of(entry: MockConfigEntry) -> Outbox:
    """Return the house's outbox."""
    outbox: Outbox = entry.runtime_data.store.outbox
    return outbox


async def measured(entry: MockConfigEntry) -> None:
    """Put what the house measured on that day, and what it was promised, into its outbox."""
    store, outbox = entry.runtime_data.store, outbox_of(entry)

    def put() -> None:
        for at, nets in enumerate(NETS):
            start = DAY + at * HALF_HOUR
            taken, given = max(nets["anna"], 0), max(-nets["anna"], 0)
            taps = {"T1": TapColumns("anna", None, (taken,), (given,), ((taken, given),), ("ok",))}
            outbox.keep_interval(KeptInterval(start, HALF_HOUR, None, taps, {"anna": nets["anna"]}, -nets["anna"]), {})
        column = (PRICES.grid_buy_micro_per_wh,) * 48, (PRICES.grid_sell_micro_per_wh,) * 48
        prices = Prices(
            SITE, "lane", DAY, HALF_HOUR, 48, (PRICES.local_micro_per_wh,) * 48, {"anna": OwnerPrices(*column)}
        )
        outbox.keep_paper(Paper("prices", time_text(DAY), to_bytes(prices), "", DAY - 60))

    await store.run(put)


async def fetched(entry: MockConfigEntry, day: Day, kind: str = FINAL) -> None:
    """Let the house fetch its statements."""
    day.cloud.documents["statement"] = day
    entry.runtime_data.cloud.statements.hurry()
    entry.runtime_data.cloud.errands.wake()
    await kept(entry, kind)


async def kept(entry: MockConfigEntry, kind: str = FINAL) -> Paper:
    """Wait until the house keeps the day's statement; time stands still, so nobody may sleep."""
    store, outbox = entry.runtime_data.store, outbox_of(entry)
    for _ in range(3000):
        if (paper := await store.run(outbox.paper, kind, f"anna|{time_text(DAY)}")) is not None:
            found: Paper = paper
            return found
        await asyncio.sleep(0)
    raise AssertionError("the statement was not fetched")


async def verify(hass: HomeAssistant, entry: MockConfigEntry, **more: Any) -> dict[str, Any]:
    """Call the action with every socket blocked."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    try:
        data = {"config_entry_id": entry.entry_id} | more
        answer = await hass.services.async_call(DOMAIN, "verify_statement", data, blocking=True, return_response=True)
    finally:
        pytest_socket.enable_socket()
    assert isinstance(answer, dict)
    return dict(answer)


WHEN = {"from": "2026-11-21T00:00:00+00:00", "to": "2026-11-22T00:00:00+00:00"}


async def test_an_honest_day_is_verified_in_words(hass: HomeAssistant, day: Day, paired: MockConfigEntry) -> None:
    """From what was measured and promised; only the batches, which this house never sent, have no witness here."""
    await measured(paired)
    await fetched(paired, day)
    told = await verify(hass, paired, **WHEN)
    assert told["lines_altered"] == []
    assert told["verified"]
    assert (told["lines"], told["not_witnessed_count"]) == (len(NETS), len(NETS))
    assert {item["what"] for item in told["not_witnessed"]} == {"the batch of the interval is not kept here"}
    assert told["summary"].startswith("Anna, 2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z: all 5 intervals are as")


async def test_a_lie_is_named_in_words(hass: HomeAssistant, day: Day, paired: MockConfigEntry) -> None:
    """Books written anew with one Wh more: the interval, what of it, both values, in Home Assistant's language."""
    await measured(paired)
    day.scribe = Scribe(nets=(NETS[0] | {"anna": 701}, *NETS[1:]))
    await fetched(paired, day)
    hass.config.language = "ja"
    told = await verify(hass, paired, **WHEN)
    assert not told["verified"]
    assert told["lines_altered"] == [{"start": "2026-11-21T00:00:00Z", "what": "net_wh", "said": "701", "own": "700"}]
    assert "最初の相違: net_wh、区間 2026-11-21T00:00:00Z。クラウドの値は 701、正しい値は 700" in told["summary"]


async def test_without_times_it_is_the_newest_day_that_tells_of_something(
    hass: HomeAssistant, day: Day, paired: MockConfigEntry
) -> None:
    """Today has nothing yet; a statement of nothing is not verified but empty."""
    await measured(paired)
    await fetched(paired, day)
    told = await verify(hass, paired)
    assert (told["from"], told["verified"]) == ("2026-11-21T00:00:00Z", True)
    told = await verify(hass, paired, **{"from": "2026-11-20T00:00:00+00:00", "to": "2026-11-21T00:00:00+00:00"})
    assert (told["verified"], told["lines"]) == (False, 0)
    assert "nothing to verify" in told["summary"]


async def test_what_was_said_first_stands(hass: HomeAssistant, day: Day, paired: MockConfigEntry) -> None:
    """A line that is told otherwise later is an alteration, even if both would add up."""
    await measured(paired)
    open_day = tuple(replace(entry, day=None, index=0, path=()) for entry in day.scribe.statement()[0].entries)
    day.changes = {"entries": open_day}
    await fetched(paired, day, OPEN)
    day.changes = {}
    day.scribe = Scribe(nets=(NETS[0] | {"ben": 100}, *NETS[1:]))
    await fetched(paired, day)
    assert await paired.runtime_data.store.run(outbox_of(paired).paper, ALTERED, f"anna|{time_text(DAY)}") is not None
    told = await verify(hass, paired, **WHEN)
    assert ("2026-11-21T00:00:00Z", "line as it was told before") in {
        (item["start"], item["what"]) for item in told["lines_altered"]
    }


async def test_a_page_that_the_cloud_did_not_sign_is_not_read(
    hass: HomeAssistant, day: Day, paired: MockConfigEntry
) -> None:
    """Whoever changed it on this machine."""
    await fetched(paired, day)
    paper = await kept(paired)
    other = replace(paper, raw=paper.raw.replace(b'"net_wh":700', b'"net_wh":701'))
    await paired.runtime_data.store.run(outbox_of(paired).replace_paper, other)
    with pytest.raises(HomeAssistantError) as refused:
        await verify(hass, paired, **WHEN)
    assert refused.value.translation_key == "statement_unreadable"


@pytest.mark.parametrize(
    ("more", "refusal"), [({"owner": "ben"}, "no_statement"), ({"config_entry_id": "other"}, "site_not_loaded")]
)
async def test_what_cannot_be_verified_is_refused_in_words(
    hass: HomeAssistant, paired: MockConfigEntry, more: dict[str, str], refusal: str
) -> None:
    """No statement of this owner, no such site."""
    with pytest.raises(ServiceValidationError) as refused:
        await verify(hass, paired, **more)
    assert refused.value.translation_key == refusal


async def test_a_site_without_a_cloud_has_no_statements(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """It is told so."""
    with pytest.raises(ServiceValidationError) as refused:
        await verify(hass, local)
    assert refused.value.translation_key == "site_without_cloud"


async def test_a_notice_fetches_at_once(hass: HomeAssistant, day: Day, paired: MockConfigEntry) -> None:
    """A day that was sealed is fetched when the cloud says so, not when the next hour comes."""
    await until(hass, lambda: paired.runtime_data.cloud.state.connected)
    day.cloud.documents["statement"] = day
    paired.runtime_data.cloud._fetch_statement({})
    assert json.loads((await kept(paired)).raw)["owner"] == "anna"
