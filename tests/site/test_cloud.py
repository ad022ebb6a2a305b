"""A site and its cloud: what goes up, what comes down, and what a person is told when something is wrong."""

from collections.abc import Callable
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt import wire
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox
from custom_components.commonwatt.sensor import PRICES

from .conftest import set_energy
from .fake_cloud import FakeCloud, problem
from .house import START_S, MockConfigEntry, entities_source, key_files, key_folders, site_of, subentry, value

type Make = Callable[..., MockConfigEntry]

TRIES = 500


async def until(hass: HomeAssistant, condition: Callable[[], object]) -> None:
    """Wait for something to become true; in real time, for the clock stands still."""
    for _ in range(TRIES):
        if condition():
            break
        await hass.async_add_executor_job(time.sleep, 0.01)
    assert condition()
    await hass.async_block_till_done()


def issue(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> ir.IssueEntry | None:
    """Return a site's repair issue."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{key}_{entry.entry_id}")


async def drained(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Wait, if the cloud takes it, until all is sent: a request under way would time out when the clock jumps."""
    store = entry.runtime_data.store
    for _ in range(30):
        if not await store.run(store.outbox.depth) and not await store.run(store.outbox.unsent_tree):
            break
        await hass.async_add_executor_job(time.sleep, 0.01)
    await hass.async_add_executor_job(time.sleep, 0.02)


@pytest.fixture
def at(hass: HomeAssistant, clock: FrozenDateTimeFactory) -> Callable[..., Any]:
    """Return what moves a site on."""

    async def move(entry: MockConfigEntry, second: float, **registers_wh: float) -> None:
        await drained(hass, entry)
        clock.move_to(dt_util.utc_from_timestamp(START_S + second))
        set_energy(hass, {f"sensor.{name}": register for name, register in registers_wh.items()})
        await site_of(entry).async_refresh()
        await hass.async_block_till_done()

    return move


@pytest.fixture
async def paired(hass: HomeAssistant, clock: object, cloud: FakeCloud, make_paired: Make) -> MockConfigEntry:
    """Run a paired site: Anna's meter T1, Ben's tap T2 below it."""
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.flat": 500})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "tap", owner="ben", upstream="T1", source=entities_source("sensor.flat")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on")
    return entry


async def test_what_was_measured_reaches_the_cloud(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, at: Callable[..., Any]
) -> None:
    """The tree goes first, then the signed interval of its boundary taps; then nothing waits any more."""
    await at(paired, 60, grid_in=1010, flat=505)
    await at(paired, 120, grid_in=1040, flat=525)
    await until(hass, lambda: cloud.batches)
    [tree], [batch] = cloud.trees, cloud.batches
    assert (tree.rev, tree.valid_from) == (1, START_S + 60)
    assert tree.taps["T2"] == wire.TreeTap("ben", "T1", "Tap T2", None)
    assert batch.intervals is not None
    assert (batch.intervals.start, batch.intervals.tree_rev) == (START_S + 60, 1)
    assert batch.intervals.taps["T1"].import_wh == (30,)
    assert batch.intervals.taps["T2"].upstream_owner == "anna"
    await until(hass, lambda: site_of(paired).cloud is not None)
    await at(paired, 121)
    assert value(hass, paired, "outbox_depth") == "0"
    assert value(hass, paired, "last_closed_interval") == "2026-11-21T05:02:00+00:00"


async def test_the_balance_is_shown_and_known_without_the_cloud(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, expected_logs: list[str]
) -> None:
    """Points come as a notice, are acknowledged, and are still there after a start without the cloud."""
    expected_logs += ["Out of step with the cloud"]
    assert value(hass, paired, "balance") == "unknown"
    body = wire.Balance("anna", -1_234_560_000, START_S).plain()
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "balance", body)
    await until(hass, lambda: not cloud.notices)
    assert value(hass, paired, "balance") == "-1234.56"
    assert value(hass, paired, "last_settled_interval") == "2026-11-21T05:00:00+00:00"

    cloud.refusal = problem(503, "down", "down")
    assert await hass.config_entries.async_reload(paired.entry_id)
    await hass.async_block_till_done()
    assert value(hass, paired, "balance") == "-1234.56"
    assert value(hass, paired, "cloud_link", "binary_sensor") == "off"
    assert paired.state is ConfigEntryState.LOADED


async def test_a_balance_that_says_nothing_changes_nothing(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, expected_logs: list[str]
) -> None:
    """A signed notice may still be of a kind or form that this version does not know."""
    expected_logs += ["a notice of the balance says nothing"]
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "balance", {"points": 5})
    await cloud.tell("n2", "poem", {})
    await until(hass, lambda: not cloud.notices)
    assert value(hass, paired, "balance") == "unknown"


async def test_new_settings_reload_the_site(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, expected_logs: list[str]
) -> None:
    """The cloud decides how long an interval is and who owns; the site follows at once, and offline too."""
    expected_logs.append("Out of step with the cloud")
    cloud.interval_seconds, cloud.owners["carl"] = 300, "Carl"
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "settings", {})
    await until(hass, lambda: paired.state is ConfigEntryState.LOADED and "carl" in site_of(paired).settings.owners)
    assert site_of(paired).settings.interval_seconds == 300
    cloud.refusal = problem(503, "down", "down")
    assert await hass.config_entries.async_reload(paired.entry_id)
    assert site_of(paired).settings.interval_seconds == 300


async def test_a_site_that_never_had_settings_waits_for_the_cloud(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make, expected_logs: list[str]
) -> None:
    """It cannot know its intervals; it tries again by itself."""
    expected_logs += ["has not told this site its settings"]
    cloud.refusal = problem(503, "down", "down")
    entry = make_paired()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    cloud.refusal = None
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issue(hass, entry, "outbox_failed") is None


@pytest.mark.parametrize("call", ["note", "notice"])
async def test_an_outbox_that_fails_as_the_link_begins_is_tried_again(  # noqa: PLR0917 - fixtures
    hass: HomeAssistant,
    paired: MockConfigEntry,
    clock: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    expected_logs: list[str],
    call: str,
) -> None:
    """Its entities are there already: they go with it, and come back with the next start, which works."""
    expected_logs += ["cannot be used", "input/output error"]

    def fail(*_: object) -> None:
        raise OutboxError("input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Outbox, call, fail)
        assert not await hass.config_entries.async_reload(paired.entry_id)
    assert paired.state is ConfigEntryState.SETUP_RETRY
    assert issue(hass, paired, "outbox_failed") is not None
    assert value(hass, paired, "T1_import_energy") == "unavailable"
    clock.tick(1)
    assert await hass.config_entries.async_reload(paired.entry_id)
    assert value(hass, paired, "T1_import_energy") == "1.0"
    assert issue(hass, paired, "outbox_failed") is None


async def test_a_site_the_cloud_does_not_know_at_first_asks_for_a_code(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make, expected_logs: list[str]
) -> None:
    """Without settings and without credentials there is nothing to run on."""
    expected_logs += ["no longer accepts"]
    cloud.authorised = False
    entry = make_paired()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == "reauth"


async def test_a_lost_key_is_told_and_never_replaced(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make, expected_logs: list[str]
) -> None:
    """A new key would be a new site. With the key back from a backup the site runs again."""
    expected_logs += ["The key of this site cannot be read"]
    entry = make_paired()
    lost = {file: file.read_bytes() for file in key_files(hass, entry)}
    for file in lost:
        file.unlink()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    found = issue(hass, entry, "key_lost")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["folder"] == str(key_folders(hass)[0])
    assert not any(file.exists() for file in lost)

    for file, content in lost.items():
        file.write_bytes(content)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issue(hass, entry, "key_lost") is None


async def test_a_clock_that_is_off_is_told_and_reported(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, at: Callable[..., Any]
) -> None:
    """Beyond two seconds a person must act, and the cloud hears of it; put right, the issue goes by itself."""
    cloud.clock_ahead_ms = 5000
    await at(paired, 60, grid_in=1010, flat=505)
    await at(paired, 120, grid_in=1040, flat=525)
    await until(hass, lambda: issue(hass, paired, "clock_offset"))
    await at(paired, 130)
    cloud.clock_ahead_ms = 0
    await at(paired, 180, grid_in=1060, flat=525)
    await until(hass, lambda: issue(hass, paired, "clock_offset") is None)
    [incident] = cloud.batches[-1].incidents
    assert (incident.kind, incident.detail) == ("clock-offset", "5000 ms")


async def test_a_cloud_out_of_reach_for_an_hour_is_told(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, at: Callable[..., Any], expected_logs: list[str]
) -> None:
    """Before that nobody is bothered; when it is back, so is everything measured meanwhile."""
    expected_logs += ["Out of step with the cloud"]
    await at(paired, 60, grid_in=1000, flat=500)
    cloud.refusal = problem(503, "down", "down for repair")
    await at(paired, 120, grid_in=1030, flat=520)
    await until(hass, lambda: value(hass, paired, "cloud_link", "binary_sensor") == "off")
    assert issue(hass, paired, "cloud_unreachable") is None
    await at(paired, 3900, grid_in=2000, flat=1000)
    found = issue(hass, paired, "cloud_unreachable")
    assert found is not None
    assert found.translation_placeholders is not None
    assert "down for repair" in found.translation_placeholders["error"]

    cloud.refusal = None
    await until(hass, lambda: paired.runtime_data.cloud.nudge() or not issue(hass, paired, "cloud_unreachable"))
    await until(hass, lambda: sum(b.intervals.count for b in cloud.batches if b.intervals) == 64)


async def test_a_refused_batch_is_told(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, at: Callable[..., Any], expected_logs: list[str]
) -> None:
    """What the cloud never takes is kept aside, and a person hears of it in the cloud's own words."""
    expected_logs += ["refuses batch"]
    cloud.batch_refusal = problem(400, "malformed", "batch.seq: is missing")
    await at(paired, 60, grid_in=1010, flat=505)
    await at(paired, 120, grid_in=1040, flat=525)
    await until(hass, lambda: issue(hass, paired, "batch_refused"))
    found = issue(hass, paired, "batch_refused")
    assert found is not None
    assert found.translation_placeholders is not None
    assert "batch.seq: is missing" in found.translation_placeholders["detail"]


async def test_a_tap_of_somebody_unknown_counts_for_the_main_owner(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make, clock: object
) -> None:
    """The owner left the community, or the site was local before: energy is never booked on nobody."""
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(subentry("T1", "meter", owner="carl", source=entities_source("sensor.grid_in")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: cloud.trees)
    assert cloud.trees[0].taps["T1"].owner == "anna"
    found = issue(hass, entry, "owner_unknown")
    assert found is not None
    assert found.translation_placeholders == {"taps": "Main meter", "main_owner": "Anna"}
    cloud.owners["carl"] = "Carl"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: issue(hass, entry, "owner_unknown") is None)


async def test_a_tap_joins_the_tree_when_its_meter_was_first_read(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Make, at: Callable[..., Any], expected_logs: list[str]
) -> None:
    """A meter that is silent from the beginning holds up nothing: the cloud hears of its tap when it has a register."""
    expected_logs += ["The meter of Tap T2 is silent"]
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "tap", owner="ben", upstream="T1", source=entities_source("sensor.flat")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await at(entry, 60, grid_in=1000)
    await at(entry, 121, grid_in=1010)
    await at(entry, 150, grid_in=1020, flat=500)
    await at(entry, 180, grid_in=1030, flat=505)
    await at(entry, 240, grid_in=1050, flat=515)
    link = entry.runtime_data.cloud
    await until(hass, lambda: link.nudge() or sum(b.intervals.count for b in cloud.batches if b.intervals) == 3)
    assert [set(tree.taps) for tree in cloud.trees] == [{"T1"}, {"T1", "T2"}]
    assert cloud.trees[1].valid_from == START_S + 180
    reported = {(batch.intervals.tree_rev, *batch.intervals.taps) for batch in cloud.batches if batch.intervals}
    assert reported == {(1, "T1"), (2, "T1", "T2")}


async def test_a_refused_tree_is_told(
    hass: HomeAssistant, cloud: FakeCloud, paired: MockConfigEntry, expected_logs: list[str]
) -> None:
    """The cloud took an owner away that the site still knows: its words are shown until it takes the tree."""
    expected_logs += ["The cloud refuses tree"]
    await until(hass, lambda: cloud.trees)
    cloud.tree_refusal = problem(422, "unknown-owner", "nobody knows ben")
    tap = site_of(paired).taps["T2"]
    hass.config_entries.async_update_subentry(paired, paired.subentries[tap.subentry_id], title="Flat")
    await hass.async_block_till_done()
    await until(hass, lambda: issue(hass, paired, "tree_refused"))
    cloud.tree_refusal = None
    await until(hass, lambda: paired.runtime_data.cloud.nudge() or not issue(hass, paired, "tree_refused"))
    assert cloud.trees[-1].taps["T2"].name == "Flat"


async def test_a_paired_site_shows_how_it_stands_with_its_cloud(hass: HomeAssistant, paired: MockConfigEntry) -> None:
    """Balance, link, queue, settlement and clock, the last only for those who look for it; points are no money."""
    registry = er.async_get(hass)
    found = {
        entity.unique_id.removeprefix(paired.data["key_id"] + "_"): entity
        for entity in er.async_entries_for_config_entry(registry, paired.entry_id)
        if entity.config_subentry_id is None and "owner" not in entity.unique_id
    }
    assert set(found) == {
        "balance",
        "clock_offset",
        "cloud_link",
        "cost_today",
        *PRICES,
        "last_closed_interval",
        "last_settled_interval",
        "local_share_today",
        "outbox_depth",
    }
    assert [key for key, entity in found.items() if entity.disabled] == ["clock_offset"]
    seen = {key for key, entity in found.items() if entity.entity_category is None}
    assert seen == {"balance", "cost_today", "local_share_today", *PRICES}
    balance = hass.states.get(found["balance"].entity_id)
    assert balance is not None
    assert balance.attributes["unit_of_measurement"] == "points"
    assert balance.attributes["state_class"] == "measurement"
    assert "device_class" not in balance.attributes
