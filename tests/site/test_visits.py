"""A cable's visit: asked, told, changed, forgotten; with a real cable, a real Home Assistant and a signing cloud."""

from collections.abc import AsyncGenerator, Callable

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt import wire
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import SiteKey
from custom_components.commonwatt.link.records import waiting
from custom_components.commonwatt.repairs import RegisterRepair, async_create_fix_flow
from custom_components.commonwatt.v2g.agreement import Agreement
from custom_components.commonwatt.v2g.period import Periods
from custom_components.commonwatt.v2g.visit import Stay, Word
from custom_components.commonwatt.visit_note import KeptCable, VisitNote, read_note
from demo.register_map import Kind
from demo.signed import SignedIntervals
from demo.steered import Permission
from demo.steered_server import SteeredServer

from .conftest import EXPECTED_LOGS, set_energy
from .fake_cloud import SITE, FakeCloud, problem, standing
from .house import MockConfigEntry, entities_source, entity_id, site_of, subentry
from .steered import Clock, served, source
from .visiting import SERIAL, Scene

type Make = Callable[..., MockConfigEntry]

MISMATCH = Agreement("mismatch", "consumption", 2_000, 500, 1_500, 150)


@pytest.fixture
async def server(
    cloud: FakeCloud, key: SiteKey, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> AsyncGenerator[SteeredServer]:
    """Serve Dora's cable, which nobody has told anything yet; the cloud knows the site's key."""
    cloud.site_key = key.public_key
    # the clock jumps while the cable is being told something: the link's and the server's own words about that
    expected_logs += ["Received unexpected response", "Cancel send", "cannot be told"]
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0.01)
    server = served(Kind.CABLE, Clock())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def expected_logs() -> list[str]:
    """Let the clock leap where the network does not: a request under way then seems to wait for half a minute."""
    return [*EXPECTED_LOGS, "Out of step with the cloud: TimeoutError"]


@pytest.fixture
async def scene(
    hass: HomeAssistant,
    cloud: FakeCloud,
    make_paired: Make,
    server: SteeredServer,
    clock: FrozenDateTimeFactory,
) -> Scene:
    """Run a paired site with a cable that no car is plugged in at, and that the cloud allows everything."""
    cloud.cables[SERIAL] = standing(SERIAL, public_key=server.device.signed.public_key.hex(), last_number=4)
    server.device.plugged = False
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "cable", source=source(server), upstream="T1"),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    scene = Scene(hass, entry, cloud, server, clock)
    await scene.until(lambda: entry.runtime_data.cloud.state.connected and scene.guest.word is not None)
    scene.follow()
    return scene


async def plug_in(scene: Scene) -> None:
    """Plug a car in, and wait until the cable has been told all."""
    scene.cable.plug(plugged=True)
    await scene.settle(lambda: scene.guest.stay is not None and scene.guest.stay.answered)
    await scene.settle(lambda: scene.cable.site == SITE)


async def test_a_cable_that_is_plugged_in_is_asked_for_and_told(scene: Scene) -> None:
    """Its site, its period and its permission; the request is signed and says what the cable shows of itself."""
    scene.cable.permission = Permission.DENIED
    scene.cable.interval_ms = 1_800_000
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    assert (scene.cable.site, scene.cable.interval_ms) == (SITE, 60_000)
    [visit] = scene.cloud.visits
    assert (visit.cable, visit.tap, visit.user, visit.vehicle) == (SERIAL, "T1", "dora", "JN1AZ0000")
    assert visit.place == (35_681_236, 139_767_125)
    assert visit.public_key == scene.cable.signed.public_key.hex()
    assert scene.shown("permission") == "allowed"
    assert scene.attributes("permission")["cause"] == "none"
    assert [happening for happening, _ in scene.happened] == ["plugged_in"]
    told = scene.entry.runtime_data.visits.standing(SERIAL)
    assert told is not None
    assert told.last_number == 4


async def test_until_the_cloud_has_answered_a_cable_only_charges(scene: Scene, expected_logs: list[str]) -> None:
    """It was allowed more when it came; a cloud that does not answer this question leaves it at that."""
    expected_logs.append("does not say what Tap T2 may do")
    scene.guest.word = None
    scene.cloud.visit_refusal = problem(429, "too-many-tries", "not now", Retry_After="600")
    scene.cable.permission = Permission.ALLOWED
    scene.cable.plug(plugged=True)
    scene.cable.permission = Permission.ALLOWED
    await scene.settle(lambda: scene.cable.permission is Permission.CHARGE_ONLY and scene.cable.site == SITE)
    assert scene.cloud.visits == []


async def test_a_notice_of_permission_is_written_at_once(scene: Scene) -> None:
    """No poll is waited for; the driver and the host are told why, until it is over."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    denied = standing(SERIAL, "denied", "mismatch")
    scene.cloud.cables[SERIAL] = denied
    await scene.tell("n1", "denied", "mismatch")
    await scene.until(lambda: scene.cable.permission is Permission.DENIED)
    assert scene.shown("permission") == "denied"
    assert scene.attributes("permission")["cause"] == "mismatch"
    found = scene.issue("cable_denied")
    assert found is not None
    assert found.translation_key == "cable_denied_mismatch"
    assert scene.happened[-1][0] == "permission_changed"
    assert {name: scene.happened[-1][1][name] for name in ("permission", "before", "cause")} == {
        "permission": "denied",
        "before": "allowed",
        "cause": "mismatch",
    }
    scene.cloud.cables[SERIAL] = standing(SERIAL)
    await scene.tell("n2", "allowed", "none")
    await scene.until(lambda: scene.cable.permission is Permission.ALLOWED)
    assert scene.issue("cable_denied") is None


async def test_a_denied_car_with_little_left_may_charge(scene: Scene) -> None:
    """Nobody is stranded: below the floor it charges, above it not."""
    scene.cloud.cables[SERIAL] = standing(SERIAL, "denied", "operator")
    scene.cable._stored_mws = 4_800 * 3_600_000  # 12 % of 40 kWh
    await plug_in(scene)
    await scene.settle(lambda: scene.shown("permission") == "charge_only")
    assert scene.cable.permission is Permission.CHARGE_ONLY
    assert scene.attributes("permission")["cause"] == "operator"
    scene.cable._stored_mws = 12_400 * 3_600_000
    await scene.settle(lambda: scene.cable.permission is Permission.DENIED)


async def test_a_person_lets_a_cable_do_less_and_it_is_remembered(scene: Scene) -> None:
    """Off is neither charging nor discharging; on again it charges; over a reload the mode stays."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    target = {"entity_id": entity_id(scene.hass, "select", scene.entry, "T2_v2g_mode")}

    async def choose(option: str) -> None:
        await scene.hass.services.async_call("select", "select_option", target | {"option": option}, blocking=True)

    await choose("off")
    await scene.settle(lambda: not scene.cable.charge and scene.cable.permission is Permission.CHARGE_ONLY)
    scene.cable.plug(plugged=False)
    await scene.settle(lambda: scene.cable.charge)  # it may charge wherever it is carried
    await plug_in(scene)
    await scene.settle(lambda: not scene.cable.charge)
    assert scene.shown("permission") == "allowed"
    assert await scene.hass.config_entries.async_reload(scene.entry.entry_id)
    await scene.hass.async_block_till_done()
    assert scene.shown("v2g_mode", "select") == "off"
    await choose("charge_only")
    await scene.settle(lambda: scene.cable.charge)
    assert scene.cable.permission is Permission.CHARGE_ONLY
    await choose("v2g")
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)


async def test_a_restart_knows_what_was_told(scene: Scene) -> None:
    """The same stay goes on: the cable is told nothing again, nor is it asked for as if it had come anew."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    assert await scene.hass.config_entries.async_reload(scene.entry.entry_id)
    await scene.hass.async_block_till_done()
    assert scene.shown("permission") == "allowed"
    for _ in range(3):
        await scene.poll()
    assert scene.cable.permission is Permission.ALLOWED
    assert len(scene.cloud.visits) == 1


@pytest.mark.parametrize(("hours", "permission"), [(1, Permission.ALLOWED), (25, Permission.CHARGE_ONLY)])
async def test_without_the_cloud_the_last_word_holds_for_a_day(
    scene: Scene, expected_logs: list[str], hours: int, permission: Permission
) -> None:
    """After that nobody knows, and discharging stops."""
    expected_logs += ["Out of step", "is silent", "The link", "Received unexpected", "clock"]
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    scene.cloud.refusal = problem(503, "down", "for now")
    for socket in list(scene.cloud.sockets):
        await socket.close()
    await scene.until(lambda: not scene.entry.runtime_data.cloud.state.connected)
    await scene.poll(hours * 3600)
    await scene.settle(lambda: scene.cable.permission is permission)
    for _ in range(3):
        await scene.poll(1)
    assert scene.cable.permission is permission


async def test_who_is_unplugged_is_forgotten(scene: Scene) -> None:
    """It may only charge wherever it is next, and is nowhere; the next plug is another visit."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    scene.cable.plug(plugged=False)
    await scene.settle(lambda: scene.cable.site == "" and scene.cable.permission is Permission.CHARGE_ONLY)
    assert scene.happened[-1][0] == "unplugged"
    await plug_in(scene)
    await scene.settle(lambda: len(scene.cloud.visits) == 2)


async def test_a_plug_pulled_between_two_polls_is_another_visit(scene: Scene) -> None:
    """Nobody saw it, but the cable has forgotten its site: it may have been carried elsewhere."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    await scene.poll()
    scene.cable.plug(plugged=False)
    scene.cable.plug(plugged=True)
    await scene.settle(lambda: len(scene.cloud.visits) == 2 and scene.cable.site == SITE)
    assert [happening for happening, _ in scene.happened][-1] == "plugged_in"


async def test_a_mismatch_is_told_to_cable_host_and_automations(scene: Scene) -> None:
    """With what was measured and what was expected, until both agree again."""
    await plug_in(scene)
    period = wire.CablePeriod(0, SERIAL, "T1", -1_500, True, "mismatch", meter_wh=2_000, consumption_wh=2_000)
    site = site_of(scene.entry)
    site.periods.last = Periods(0, 60, MISMATCH, (period,))
    scene.entry.runtime_data.visits.on_periods([period])
    site.async_tell()
    await scene.settle(lambda: scene.cable.agreement == 1)
    assert scene.shown("agreement") == "mismatch"
    shown = scene.attributes("agreement")
    assert [shown[name] for name in ("meter_wh", "expected_wh", "difference_wh", "tolerance_wh")] == [
        2_000,
        500,
        1_500,
        150,
    ]
    found = scene.issue("cable_mismatch")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["expected"] == "500 Wh"
    assert (scene.happened[-1][0], scene.happened[-1][1]["energy_wh"]) == ("mismatch", -1_500)
    agreed = wire.CablePeriod(0, SERIAL, "T1", -1_500, True, "match", meter_wh=500, consumption_wh=2_000)
    site.periods.last = Periods(60, 60, Agreement("match", "consumption", 500, 500, 0, 150), (agreed,))
    scene.entry.runtime_data.visits.on_periods([agreed])
    await scene.settle(lambda: scene.cable.agreement == 0)
    assert scene.issue("cable_mismatch") is None


async def test_a_suspicion_is_an_event_and_no_repair(scene: Scene) -> None:
    """It may be the household; the cable is told that nobody knows."""
    await plug_in(scene)
    period = wire.CablePeriod(0, SERIAL, "T1", -1_500, True, "suspect", meter_wh=2_000, before_wh=2_000)
    site_of(scene.entry).periods.last = Periods(
        0, 60, Agreement("suspect", "before", 2_000, 500, 1_500, 150), (period,)
    )
    scene.entry.runtime_data.visits.on_periods([period])
    await scene.poll()
    assert scene.happened[-1][0] == "suspect"
    assert scene.issue("cable_mismatch") is None
    assert scene.cable.agreement == 2
    assert scene.shown("agreement") == "suspect"


async def test_what_an_own_cable_earns_is_shown_at_home(scene: Scene) -> None:
    """As soon as the cloud tells it, and anew when the cloud says that something moved."""
    reward = wire.Reward(1_250_000, 90_000_000, -300_000)
    scene.cloud.cables[SERIAL] = standing(SERIAL, own=True, reward=reward)
    await scene.until(lambda: scene.cloud.sockets)
    await scene.cloud.tell("n1", "cables", {})
    rewards = "sensor.tap_t2_reward_in_all"
    await scene.until(lambda: scene.hass.states.get(rewards) is not None)
    assert [float(scene.shown(f"reward_{kind}")) for kind in ("today", "total", "pending")] == [1.25, 90, -0.3]
    assert scene.attributes("reward_total")["unit_of_measurement"] == "points"


async def test_an_own_cable_is_reported_stolen(scene: Scene) -> None:
    """By its driver's site alone; what the cloud says is the response."""
    device = dr.async_get(scene.hass).async_get_device_by_identifier(
        (DOMAIN, f"{scene.entry.data['key_id']}_T2"), scene.entry.entry_id
    )
    assert isinstance(device, dr.DeviceEntry)

    async def report(device_id: str) -> object:
        return await scene.hass.services.async_call(
            DOMAIN, "report_stolen", {"device_id": device_id}, blocking=True, return_response=True
        )

    with pytest.raises(ServiceValidationError) as refused:
        await report(device.id)
    assert refused.value.translation_key == "not_own_cable"
    with pytest.raises(ServiceValidationError) as refused:
        await report(scene.entry.runtime_data.device_id)
    assert refused.value.translation_key == "not_a_cable"
    scene.cloud.cables[SERIAL] = standing(SERIAL, own=True)
    await scene.until(lambda: scene.cloud.sockets)
    await scene.cloud.tell("n1", "cables", {})
    await scene.until(lambda: scene.guest.word is not None and scene.guest.word.standing.own)
    assert await report(device.id) == {
        "cable": SERIAL,
        "state": "stolen",
        "since": "2026-11-21T05:00:00Z",
        "owner": "anna",
    }
    assert scene.cloud.stolen == [SERIAL]
    scene.cloud.refusal = problem(409, "cable-state", "its key was revoked, which is for good")
    with pytest.raises(HomeAssistantError) as failed:
        await report(device.id)
    assert failed.value.translation_key == "cable_not_reported"
    scene.cloud.refusal = None


async def test_a_cable_that_nobody_has_registered_is_offered_to_its_owner(scene: Scene) -> None:
    """The repair registers it for the main owner, proven by the newest record the cable signed."""
    scene.cloud.cables[SERIAL] = standing(SERIAL, "denied", "unknown-cable")
    await plug_in(scene)
    await scene.settle(lambda: scene.issue("cable_unregistered") is not None)
    assert scene.issue("cable_denied") is None  # one repair says it, and what to do
    assert await async_setup_component(scene.hass, "repairs", {})
    found = scene.issue("cable_unregistered")
    assert found is not None
    flow = await async_create_fix_flow(scene.hass, found.issue_id, found.data)
    assert isinstance(flow, RegisterRepair)
    flow.hass = scene.hass
    flow.handler, flow.context = DOMAIN, {"issue_id": found.issue_id}
    form = await flow.async_step_init()
    assert form["description_placeholders"] == {"cable": "Tap T2", "owner": "Anna"}
    form = await flow.async_step_register({})
    assert form["errors"] == {"base": "nothing_signed"}
    scene.server.device.signed.close((0, 60_000), (0, 0), (0, 0), "dora", "C")
    scene.cloud.cables[SERIAL] = standing(SERIAL, own=True)
    done = await flow.async_step_register({})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    [registered] = scene.cloud.registered
    signed = scene.cable.signed
    assert (registered["cable"], registered["name"]) == (SERIAL, "Tap T2")
    assert (registered["public_key"], registered["ocmf"]) == (signed.public_key.hex(), signed.record(signed.newest))
    await scene.settle(lambda: scene.issue("cable_unregistered") is None)


async def test_the_key_the_cloud_knows_is_the_one_to_believe(scene: Scene, expected_logs: list[str]) -> None:
    """Whatever key was met first: its records do not hold any more, and the log says why."""
    expected_logs += ["is registered with another key", "is not believed: signature_wrong", "tells a key of Tap T2"]
    other = SignedIntervals(SERIAL).public_key.hex()
    scene.cable.signed.close((0, 60_000), (0, 0), (0, 0), "dora", "C")
    await scene.settle(lambda: scene.shown("signed_valid", "binary_sensor") == "on")
    scene.cloud.cables[SERIAL] = standing(SERIAL, public_key=other)
    await scene.until(lambda: scene.cloud.sockets)
    await scene.cloud.tell("n1", "cables", {})
    await scene.until(lambda: scene.guest.key == other)
    scene.cable.signed.close((60_000, 120_000), (0, 0), (0, 0), "dora", "C")
    await scene.settle(lambda: scene.shown("signed_valid", "binary_sensor") == "off")
    scene.cloud.cables[SERIAL] = standing(SERIAL, public_key="no hex")
    await scene.cloud.tell("n2", "cables", {})
    await scene.until(lambda: scene.guest.word is not None and scene.guest.word.standing.public_key == "no hex")
    assert scene.guest.key == other


async def test_a_cable_that_refuses_is_told_again_with_the_next_poll(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once; what allows more is not told before what says for whom."""
    scene.server.refuses = True
    scene.cable.permission = Permission.CHARGE_ONLY
    scene.cable.plug(plugged=True)
    for _ in range(4):
        await scene.poll(35)
        await scene.until(lambda: scene.guest._dictation._under_way is None)
    assert scene.cable.site == ""
    assert caplog.text.count("Tap T2 cannot be told site_id") == 1
    scene.server.refuses = False
    await scene.settle(lambda: scene.cable.site == SITE and scene.cable.permission is Permission.ALLOWED)


async def test_a_notice_that_says_nothing_changes_nothing(scene: Scene, expected_logs: list[str]) -> None:
    """It is logged and put aside."""
    expected_logs.append("a notice of permission says nothing")
    await plug_in(scene)
    scene.entry.runtime_data.visits.hear({"cables": "all"})
    assert scene.shown("permission") == "allowed"


async def test_an_outbox_that_fails_stops_no_cable(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> None:
    """It is told all the same, and the log says once that it cannot be kept."""
    expected_logs.append("the visits cannot be kept")

    def full(*_: object) -> None:
        raise OutboxError("the disk is full")

    monkeypatch.setattr(scene.entry.runtime_data.store.outbox, "keep_note", full)
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    monkeypatch.undo()


def test_what_another_version_kept_is_begun_anew(expected_logs: list[str]) -> None:
    """Then the cloud is asked; until it answers a cable only charges."""
    expected_logs.append("cannot be read")
    assert read_note(None) == VisitNote()
    assert read_note('{"cables": 3}') == VisitNote()
    note = VisitNote(
        {"T2": KeptCable(SERIAL, "off", Stay(5, answered=True, agreement="match"), 9)},
        {SERIAL: Word(standing(SERIAL, own=True, reward=wire.Reward(1, -2, 3)), 7)},
        {"cables": {}},
    )
    assert read_note(note.text()) == note


async def test_the_cloud_is_told_the_key_that_the_cable_shows_now(scene: Scene, expected_logs: list[str]) -> None:
    """Not the key it knows itself: another cable under the same number would pass for the right one."""
    expected_logs += ["is registered with another key"]
    await plug_in(scene)
    scene.cable.plug(plugged=False)
    await scene.settle(lambda: scene.guest.stay is None)
    registered = scene.cable.signed.public_key.hex()
    scene.cable.signed = SignedIntervals(SERIAL)
    shown = scene.cable.signed.public_key.hex()
    scene.cloud.cables[SERIAL] = standing(SERIAL, "denied", "unknown-cable", public_key=registered)
    await plug_in(scene)
    assert [visit.public_key for visit in scene.cloud.visits] == [registered, shown]
    found = scene.issue("cable_denied")
    assert found is not None
    assert found.translation_key == "cable_denied_other_key"
    assert scene.issue("cable_unregistered") is None  # nobody can register it


async def test_what_was_switched_off_is_on_again_after_a_restart_in_between(scene: Scene) -> None:
    """It was chosen while the cable was silent; the car would not charge, and nothing would say why."""
    await plug_in(scene)
    runtime = scene.entry.runtime_data
    runtime.visits.set_mode("T2", "off")
    await scene.settle(lambda: not scene.cable.charge)
    await scene.poll(35)
    scene.server.refuses = True
    runtime.visits.set_mode("T2", "v2g")
    await scene.until(lambda: scene.guest._dictation._under_way is None)
    scene.server.refuses = False
    assert await scene.hass.config_entries.async_reload(scene.entry.entry_id)
    await scene.settle(lambda: scene.cable.charge)


async def test_a_cable_that_is_removed_while_plugged_in_may_only_charge(scene: Scene) -> None:
    """Nobody here compares it any more, nor hears that it must stop."""
    await plug_in(scene)
    await scene.settle(lambda: scene.cable.permission is Permission.ALLOWED)
    tap = site_of(scene.entry).taps["T2"]
    scene.hass.config_entries.async_remove_subentry(scene.entry, tap.subentry_id)
    await scene.until(lambda: scene.cable.permission is Permission.CHARGE_ONLY and scene.cable.site == "")


async def test_what_was_earned_yesterday_is_not_shown_as_today(scene: Scene, clock: FrozenDateTimeFactory) -> None:
    """Until the cloud has told of the new day, nobody knows; what was earned in all still stands."""
    scene.cloud.cables[SERIAL] = standing(SERIAL, own=True, reward=wire.Reward(1_250_000, 90_000_000, 0))
    await scene.until(lambda: scene.cloud.sockets)
    await scene.cloud.tell("n1", "cables", {})
    await scene.until(lambda: scene.hass.states.get("sensor.tap_t2_reward_in_all") is not None)
    assert float(scene.shown("reward_today")) == 1.25
    visits = scene.entry.runtime_data.visits
    word = visits._words[SERIAL]
    visits._words[SERIAL] = Word(word.standing, word.heard_at - 86_400)
    site_of(scene.entry).async_tell()
    await scene.hass.async_block_till_done()
    assert scene.shown("reward_today") == "unknown"
    assert float(scene.shown("reward_total")) == 90


async def test_back_from_another_site_a_cable_hands_on_what_that_one_did_not_deliver(
    scene: Scene, expected_logs: list[str]
) -> None:
    """What the cloud said before is old: records that come twice are held against the site that brings them."""
    expected_logs.append("is silent")
    for _ in range(6):
        scene.cable.prove()
    await plug_in(scene)
    store = scene.entry.runtime_data.store

    async def through() -> int | None:
        reached: int | None = await store.run(store.outbox.records_through, SERIAL)
        return reached

    for _ in range(4):
        await scene.poll(1)
    before = scene.cable.signed.newest
    assert await through() == before
    await scene.server.stop()
    for _ in range(4):
        await scene.poll()
    for _ in range(6):
        scene.cable.prove()
    scene.cable.plug(plugged=False)
    scene.cable.plug(plugged=True)
    delivered = scene.cable.signed.newest - 1
    scene.cloud.cables[SERIAL] = standing(SERIAL, public_key=scene.cable.signed.public_key.hex(), last_number=delivered)
    await scene.server.start()
    await scene.settle(
        lambda: len(scene.cloud.visits) == 2 and scene.guest.stay is not None and scene.guest.stay.answered
    )
    for _ in range(3):
        await scene.poll(2)
    assert len(scene.cloud.visits) == 2
    assert await through() == scene.cable.signed.newest
    sent = [record.ocmf for batch in scene.cloud.batches for record in batch.records]
    portions = await store.run(store.outbox._database.read, lambda db: [*waiting(db)])
    sent += [record.ocmf for portion in portions for _, record in portion]
    assert not {scene.cable.signed.record(number) for number in range(before + 1, delivered + 1)} & set(sent)
    assert scene.cable.signed.record(delivered + 1) in sent


async def test_what_a_cable_forgets_as_soon_as_it_was_told_is_told_again(scene: Scene) -> None:
    """What it took is held to be so until it is read anew, and no longer: it may have been pulled out just then."""
    scene.cable.plug(plugged=True)
    await scene.settle(lambda: scene.cable.site == SITE and scene.guest._dictation._under_way is None)
    scene.cable.site = ""
    for _ in range(3):
        await scene.poll()
        await scene.until(lambda: scene.guest._dictation._under_way is None)
    assert scene.cable.site == SITE
