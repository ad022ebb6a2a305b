"""A tap changes hands at a site: asked for with its passcode, taken up before the boundary, never by the site alone."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
import time
from typing import Any

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.flows.transfer import async_open_talk
from custom_components.commonwatt.link.standing import Rewriting, rewriting
from custom_components.commonwatt.wire.transfer import OwnerChange, TapStanding, TapStandings

from .conftest import set_energy
from .fake_cloud import problem, serve
from .handing import NOT_BEFORE, TransferCloud
from .house import START_S, MockConfigEntry, added, entities_source, site_of, subentry, value
from .test_cloud import until

type Make = Callable[..., MockConfigEntry]

PASSCODE = "correct horse"
TRANSFERRED = {"tap": "Tap T2", "owner": "Ben", "to_owner": "Sun"}


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncGenerator[TransferCloud]:
    """Serve a cloud at which Ben's tap has a passcode."""
    cloud = TransferCloud(passcodes={"T2": PASSCODE})
    cloud.owners["sun"] = "Sun"
    server = await serve(cloud)
    yield cloud
    await server.close()


@pytest.fixture(autouse=True)
async def _ends_at_rest(hass: HomeAssistant, clock: object) -> AsyncGenerator[None]:
    """Let a site that starts anew finish that: with the clock set free, no timeout of the shutdown would hold."""
    yield
    rested = 0
    while rested < 5:
        await hass.async_add_executor_job(time.sleep, 0.02)
        await hass.async_block_till_done()
        states = {entry.state for entry in hass.config_entries.async_entries(DOMAIN)}
        rested = rested + 1 if states <= {ConfigEntryState.LOADED, ConfigEntryState.NOT_LOADED} else 0


@pytest.fixture
async def paired(hass: HomeAssistant, clock: object, cloud: TransferCloud, make_paired: Make) -> MockConfigEntry:
    """Run a paired site: Anna's meter T1, Ben's tap T2 below it."""
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.flat": 500})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "tap", owner="ben", upstream="T1", source=entities_source("sensor.flat")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on" and cloud.trees)
    return entry


@pytest.fixture
def _the_cloud_may_go(expected_logs: list[str]) -> None:
    """Let the link say that it lost the cloud."""
    expected_logs += ["Out of step with the cloud", "An errand to the cloud failed"]


def owner_of(entry: MockConfigEntry, tap: str) -> str:
    """Return whose a tap is by its subentry."""
    owner: str = next(item.data["owner"] for item in entry.subentries.values() if item.data["tap"] == tap)
    return owner


async def open_transfer(hass: HomeAssistant, entry: MockConfigEntry, tap: str) -> dict[str, Any]:
    """Choose `transfer` in a tap's menu."""
    menu = await entry.start_subentry_reconfigure_flow(hass, site_of(entry).taps[tap].subentry_id)
    assert menu["menu_options"] == ["details", "entities", "modbus", "sunspec", "search", "transfer"]
    flows = hass.config_entries.subentries
    return dict(await flows.async_configure(menu["flow_id"], {"next_step_id": "transfer"}))


async def submit(hass: HomeAssistant, form: dict[str, Any], **fields: str) -> dict[str, Any]:
    """Send a form of a tap's dialogue."""
    return dict(await hass.config_entries.subentries.async_configure(form["flow_id"], fields))


async def at(hass: HomeAssistant, clock: FrozenDateTimeFactory, second: float) -> datetime:
    """Let the time come, with the timers that wait for it."""
    now = dt_util.utc_from_timestamp(START_S + second)
    clock.move_to(now)
    async_fire_time_changed(hass, now)
    await hass.async_block_till_done()
    return now


async def test_a_tap_passes_to_its_new_owner_at_the_boundary(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry, clock: FrozenDateTimeFactory
) -> None:
    """The dialogue says from when; the owner stays until the interval before, and the tree is valid from it on."""
    form = await open_transfer(hass, paired, "T2")
    assert (form["step_id"], form["description_placeholders"]) == ("transfer", {"tap": "Tap T2", "owner": "Ben"})
    done = await submit(hass, form, owner="sun", passcode=PASSCODE)
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "transferred")
    words = done["description_placeholders"]
    assert {name: words[name] for name in TRANSFERRED} == TRANSFERRED
    assert words["time"] == dt_util.as_local(dt_util.utc_from_timestamp(NOT_BEFORE)).strftime("%Y-%m-%d %H:%M")

    await cloud.tell("n1", "owner", cloud.pending["T2"].plain())
    await until(hass, lambda: not cloud.notices)
    await at(hass, clock, 65)  # long before: a timer of the test bed counts real seconds too
    assert owner_of(paired, "T2") == "ben"
    await at(hass, clock, 76)
    await until(hass, lambda: len(cloud.trees) == 2)
    assert owner_of(paired, "T2") == "sun"
    assert (cloud.trees[1].valid_from, cloud.trees[1].taps["T2"].owner) == (NOT_BEFORE, "sun")
    assert (cloud.taps["T2"], cloud.pending) == ("sun", {})
    await cloud.tell("n1", "owner", OwnerChange("T2", "sun", "t", NOT_BEFORE).plain())
    await until(hass, lambda: not cloud.notices)
    assert len(cloud.trees) == 2


async def test_a_site_that_was_away_takes_it_up_when_it_is_back(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry, clock: FrozenDateTimeFactory
) -> None:
    """Without a notice, and though its boundary has passed: from the next one on."""
    await at(hass, clock, 500)
    cloud.pending["T2"] = OwnerChange("T2", "sun", "t1", NOT_BEFORE)
    assert await hass.config_entries.async_reload(paired.entry_id)
    await until(hass, lambda: owner_of(paired, "T2") == "sun" and len(cloud.trees) == 2)
    assert cloud.trees[1].valid_from == START_S + 540


async def paper_says(hass: HomeAssistant, entry: MockConfigEntry, words: bytes) -> None:
    """Wait until the site has kept what the cloud says of its taps."""
    store = entry.runtime_data.store
    for _ in range(500):
        paper = await store.run(store.outbox.paper, "taps", "taps")
        if paper is not None and words in paper.raw:
            return
        await hass.async_add_executor_job(time.sleep, 0.01)
    pytest.fail("the cloud's word was not kept")


async def test_what_the_cloud_said_holds_without_the_cloud(
    hass: HomeAssistant,
    cloud: TransferCloud,
    paired: MockConfigEntry,
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """Told before the network went, a tap changes hands in time, over a restart too."""
    expected_logs += ["Out of step with the cloud"]
    cloud.pending["T2"] = OwnerChange("T2", "sun", "t1", NOT_BEFORE)
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "owner", cloud.pending["T2"].plain())
    await until(hass, lambda: not cloud.notices)
    await paper_says(hass, paired, b"t1")
    cloud.refusal = problem(503, "down", "down")
    assert await hass.config_entries.async_reload(paired.entry_id)
    assert owner_of(paired, "T2") == "ben"
    await at(hass, clock, 76)
    assert owner_of(paired, "T2") == "sun"
    assert site_of(paired).taps["T2"].owner == "sun"


async def test_the_cloud_is_master_of_owners(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """A restored backup says an owner of long ago; the cloud's word is taken up, and no tree contradicts it."""
    cloud.taps["T2"] = "sun"
    assert await hass.config_entries.async_reload(paired.entry_id)
    await until(hass, lambda: owner_of(paired, "T2") == "sun" and len(cloud.trees) == 2)
    assert cloud.trees[1].taps["T2"].owner == "sun"


async def test_an_unknown_owner_stays_written_until_a_transfer(
    hass: HomeAssistant, cloud: TransferCloud, make_paired: Make, clock: object
) -> None:
    """The tap counts for the main owner; when the owner becomes known it is the cloud's word that holds."""
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(subentry("T1", "meter", owner="carl", source=entities_source("sensor.grid_in")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: cloud.trees)
    assert (owner_of(entry, "T1"), cloud.trees[0].taps["T1"].owner) == ("carl", "anna")
    cloud.owners["carl"] = "Carl"
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "settings", {})
    await until(hass, lambda: owner_of(entry, "T1") == "anna")
    assert [tree.taps["T1"].owner for tree in cloud.trees] == ["anna"]


async def test_wrong_passcodes_are_told_and_lock_the_tap(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """How many tries are left is not said; until when it is locked is."""
    form = await open_transfer(hass, paired, "T2")
    for _ in range(5):
        form = await submit(hass, form, owner="sun", passcode="wrong horse")
        assert (form["step_id"], form["errors"]) == ("transfer", {"passcode": "passcode_refused"})
    form = await submit(hass, form, owner="sun", passcode=PASSCODE)
    assert form["errors"] == {"base": "passcode_locked"}
    until_then = dt_util.as_local(dt_util.utc_from_timestamp(START_S + 30 + 600 + 59))
    assert form["description_placeholders"]["time"] == until_then.strftime("%Y-%m-%d %H:%M")
    suggested = {str(name): name.description for name in form["data_schema"].schema}
    assert suggested == {"owner": {"suggested_value": "sun"}, "passcode": None}


async def test_an_answer_that_was_lost_is_asked_for_again(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """The same dialogue asks for the same transfer, so it is made once."""
    cloud.lost_answers = 1
    form = await submit(hass, await open_transfer(hass, paired, "T2"), owner="sun", passcode=PASSCODE)
    assert form["errors"] == {"base": "cloud_unreachable"}
    assert (await submit(hass, form, owner="sun", passcode=PASSCODE))["reason"] == "transferred"
    assert len({asked["id"] for asked in cloud.asked}) == 1


async def test_the_main_owner_sets_the_first_passcode_in_the_dialogue(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """Typed twice, and long enough; then the transfer is asked for with it."""
    form = await open_transfer(hass, paired, "T1")
    assert form["step_id"] == "first_passcode"
    form = await submit(hass, form, owner="sun", passcode=PASSCODE, repeated="correct house")
    assert form["errors"] == {"repeated": "passcodes_differ"}
    form = await submit(hass, form, owner="sun", passcode="short", repeated="short")
    assert form["errors"] == {"passcode": "passcode_length"}
    assert "T1" not in cloud.passcodes
    done = await submit(hass, form, owner="sun", passcode=PASSCODE, repeated=PASSCODE)
    assert done["reason"] == "transferred"
    assert cloud.pending["T1"].owner == "sun"


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda cloud: cloud.passcodes.clear(), "passcode_not_set"),
        (lambda cloud: cloud.pending.update(T2=OwnerChange("T2", "sun", "t", NOT_BEFORE)), "transfer_pending"),
        (lambda cloud: cloud.taps.pop("T2"), "tap_gone"),
        (lambda cloud: setattr(cloud, "refusal", problem(503, "down", "down")), "cloud_unreachable"),
    ],
)
@pytest.mark.usefixtures("_the_cloud_may_go")
async def test_what_cannot_be_transferred_says_why(
    hass: HomeAssistant,
    cloud: TransferCloud,
    paired: MockConfigEntry,
    prepare: Callable[[TransferCloud], object],
    reason: str,
) -> None:
    """No passcode, one under way, a tap the cloud does not know, no cloud: nothing has changed."""
    prepare(cloud)
    ended = await open_transfer(hass, paired, "T2")
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, reason)
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("refusal", "errors"),
    [
        (problem(409, "same-owner", "no"), {"owner": "owner_refused"}),
        (problem(422, "unknown-owner", "no"), {"owner": "owner_refused"}),
        (problem(409, "transfer-pending", "no"), {"base": "transfer_pending"}),
        (problem(403, "site-closed", "no"), {"base": "refused"}),
        (problem(503, "down", "down"), {"base": "cloud_unreachable"}),
    ],
)
@pytest.mark.usefixtures("_the_cloud_may_go")
async def test_what_the_cloud_refuses_is_told_where_it_is_mended(
    hass: HomeAssistant,
    cloud: TransferCloud,
    paired: MockConfigEntry,
    refusal: web.Response,
    errors: dict[str, str],
) -> None:
    """At the field if there is one, and the form comes back."""
    form = await open_transfer(hass, paired, "T2")
    cloud.refusal = refusal
    form = await submit(hass, form, owner="sun", passcode=PASSCODE)
    cloud.refusal = None
    assert (form["type"], form["errors"]) == (FlowResultType.FORM, errors)


async def test_a_transfer_needs_a_running_site_its_cloud_and_the_tap(
    hass: HomeAssistant, paired: MockConfigEntry, make_local: Callable[..., MockConfigEntry]
) -> None:
    """Whatever is missing is named before anything is asked."""
    local = make_local(subentry("T1", source=entities_source("sensor.flat")), key_id="other")
    assert await async_open_talk(hass, local, "T1") == "not_loaded"
    assert await hass.config_entries.async_setup(local.entry_id)
    assert await async_open_talk(hass, local, "T1") == "not_paired"
    assert await async_open_talk(hass, paired, "T9") == "tap_gone"


async def test_a_tap_of_a_paired_site_has_no_owner_to_choose(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """Its name and place can be changed as before; a new tap's owner is still chosen."""
    menu = await paired.start_subentry_reconfigure_flow(hass, site_of(paired).taps["T2"].subentry_id)
    form = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "details"})
    assert form["data_schema"] is not None
    assert "owner" not in {str(name) for name in form["data_schema"].schema}
    done = await submit(hass, dict(form), name="Flat", upstream="grid")
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    tap = site_of(paired).taps["T2"]
    assert (tap.name, tap.owner, tap.parent) == ("Flat", "ben", None)


def device_of(hass: HomeAssistant, entry: MockConfigEntry, tap: str) -> str:
    """Return the device of a tap."""
    registry, wanted = dr.async_get(hass), (DOMAIN, f"{entry.data['key_id']}_{tap}")
    devices = dr.async_entries_for_config_entry(registry, entry.entry_id)
    found = next((device for device in devices if wanted in device.identifiers), None)
    assert found is not None
    return found.id


async def test_the_action_asks_for_the_passcode_in_a_repair(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry, expected_logs: list[str]
) -> None:
    """It is called without the passcode; a person finds the dialogue under repairs, and it ends by saying from when."""
    expected_logs += ["zlib_ng"]  # what the web server of this test bed says of itself
    assert await async_setup_component(hass, REPAIRS, {})
    data = {"device_id": device_of(hass, paired, "T2"), "owner": "Sun"}
    await hass.services.async_call(DOMAIN, "transfer_tap", data, blocking=True)
    issue_id = f"transfer_tap_{paired.entry_id}_T2"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert (issue.is_fixable, issue.translation_placeholders) == (True, {"tap": "Tap T2", "site": "Home"})
    flows = hass.data[REPAIRS]["flow_manager"]
    form = await flows.async_init(DOMAIN, context={"issue_id": issue_id})
    suggested = {str(name): name.description for name in form["data_schema"].schema}
    assert (form["step_id"], suggested["owner"]) == ("transfer", {"suggested_value": "sun"})
    form = await flows.async_configure(form["flow_id"], {"owner": "sun", "passcode": "wrong horse"})
    assert form["errors"] == {"passcode": "passcode_refused"}
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    form = await flows.async_configure(form["flow_id"], {"owner": "sun", "passcode": PASSCODE})
    assert (form["step_id"], form["description_placeholders"]["to_owner"]) == ("transferred", "Sun")
    assert (await flows.async_configure(form["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_a_repair_goes_when_the_tap_changes_hands_otherwise(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """Somebody was faster, at the cloud; and with the site every question about it goes."""
    registry = ir.async_get(hass)
    for tap in ("T1", "T2"):
        data = {"device_id": device_of(hass, paired, tap)}
        await hass.services.async_call(DOMAIN, "transfer_tap", data, blocking=True)
    cloud.pending["T2"] = OwnerChange("T2", "sun", "t1", NOT_BEFORE)
    await until(hass, lambda: cloud.sockets)
    await cloud.tell("n1", "owner", cloud.pending["T2"].plain())
    await until(hass, lambda: registry.async_get_issue(DOMAIN, f"transfer_tap_{paired.entry_id}_T2") is None)
    assert registry.async_get_issue(DOMAIN, f"transfer_tap_{paired.entry_id}_T1")
    await hass.config_entries.async_remove(paired.entry_id)
    assert not [issue for domain, issue in registry.issues if domain == DOMAIN and issue.startswith("transfer_tap")]


async def test_the_action_refuses_what_is_no_tap(
    hass: HomeAssistant, cloud: TransferCloud, paired: MockConfigEntry
) -> None:
    """Another device, an unknown one, an owner nobody knows, a site that does not run."""

    async def refused(**data: str) -> str | None:
        with pytest.raises(ServiceValidationError) as error:
            await hass.services.async_call(DOMAIN, "transfer_tap", data, blocking=True)
        return error.value.translation_key

    tap = device_of(hass, paired, "T2")
    assert await refused(device_id=paired.runtime_data.device_id) == "not_a_tap"
    assert await refused(device_id="nothing") == "not_a_tap"
    assert await refused(device_id=tap, owner="nobody") == "no_such_owner"
    assert await hass.config_entries.async_unload(paired.entry_id)
    assert await refused(device_id=tap) == "site_not_loaded"


async def test_the_action_refuses_a_cable(hass: HomeAssistant, paired: MockConfigEntry) -> None:
    """The cloud knows no passcode of it, so a repair that asked for one could not be ended."""
    set_energy(hass, {"sensor.cable": 5})
    cable = subentry("T9", "cable", upstream="T1", source=entities_source("sensor.cable"))
    hass.config_entries.async_add_subentry(paired, added(cable))
    await hass.async_block_till_done()
    with pytest.raises(ServiceValidationError) as refused:
        await hass.services.async_call(
            DOMAIN, "transfer_tap", {"device_id": device_of(hass, paired, "T9")}, blocking=True
        )
    assert refused.value.translation_key == "not_a_tap"


async def test_a_site_without_a_cloud_has_no_transfers(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """There the owner is chosen at the tap, as ever."""
    data = {"device_id": device_of(hass, local, "T2")}
    with pytest.raises(ServiceValidationError) as error:
        await hass.services.async_call(DOMAIN, "transfer_tap", data, blocking=True)
    assert error.value.translation_key == "site_without_cloud"
    menu = await local.start_subentry_reconfigure_flow(hass, site_of(local).taps["T2"].subentry_id)
    assert "transfer" not in menu["menu_options"]


@pytest.mark.parametrize(
    ("standing", "here", "now", "wanted"),
    [
        (TapStanding("ben", False), "ben", 0, Rewriting({}, None)),
        (TapStanding("ben", False), "anna", 0, Rewriting({"T": "ben"}, None)),
        (TapStanding("ben", False), None, 0, Rewriting({}, None)),
        (TapStanding("ben", False, OwnerChange("T", "sun", "t", 300)), "ben", 239, Rewriting({}, 240)),
        (TapStanding("ben", False, OwnerChange("T", "sun", "t", 300)), "ben", 240, Rewriting({"T": "sun"}, None)),
        (TapStanding("ben", False, OwnerChange("T", "sun", "t", 300)), "sun", 239, Rewriting({}, 240)),
        (TapStanding("ben", False, OwnerChange("T", "sun", "t", 300)), "sun", 999, Rewriting({}, None)),
        (TapStanding("ben", False, OwnerChange("T", "sun", "t", 300)), "anna", 0, Rewriting({"T": "ben"}, 240)),
    ],
)
def test_an_owner_is_rewritten_within_the_interval_before(
    standing: TapStanding, here: str | None, now: int, wanted: Rewriting
) -> None:
    """Not before, not twice, and not back."""
    owners = {} if here is None else {"T": here}
    assert rewriting(TapStandings("s", {"T": standing}), owners, now, 60) == wanted
