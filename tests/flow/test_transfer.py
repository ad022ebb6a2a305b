"""A tap of the measured house changes hands: asked for in Home Assistant, settled by the cloud, seen by both owners."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from demo.community import GRID_PRICES, OWNERS
from demo.statement import prove

from .conftest import INTERVAL_SECONDS, Cloud, settled, until
from .stores import rows_of
from .test_main_job import nets, stored_readings, taps_of

PASSCODE = "correct horse"
WRONG_FREE = 5


async def open_transfer(hass: HomeAssistant, site: ConfigEntry[Any], tap: str) -> str:
    """Open the dialogue of a transfer at a tap, and return its id."""
    flows = hass.config_entries.subentries
    [subentry_id] = [key for key, subentry in site.subentries.items() if subentry.data["tap"] == tap]
    context = SubentryFlowContext(source="reconfigure", subentry_id=subentry_id)
    menu = await flows.async_init((site.entry_id, site.subentries[subentry_id].subentry_type), context=context)
    form = await flows.async_configure(menu["flow_id"], {"next_step_id": "transfer"})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "transfer"), form
    return str(form["flow_id"])


async def set_passcode(cloud: Cloud, site: ConfigEntry[Any], tap: str) -> None:
    """Set a tap's passcode, as staff does for an owner who asks."""
    await cloud.operator.put(f"/sites/{site.data['site']}/taps/{tap}/passcode", {"passcode": PASSCODE})


async def test_a_tap_passes_from_one_statement_to_the_other(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud
) -> None:
    """Every reading before the boundary is Ben's, every one from it on Sun's; none is lost, and all sums are zero."""
    tap = min(taps_of("ben"))
    await set_passcode(cloud, site, tap)
    flow_id = await open_transfer(hass, site, tap)
    form = {"owner": "sun", "passcode": PASSCODE}
    ended = await hass.config_entries.subentries.async_configure(flow_id, form)
    assert (ended["type"], ended.get("reason")) == (FlowResultType.ABORT, "transferred"), ended

    async def done() -> dict[str, Any] | None:
        [transfer] = rows_of(cloud.database, "SELECT * FROM transfer")
        return None if transfer["effective_from"] is None else transfer

    transfer = await until(done, "the site did not carry the transfer out")
    boundary: int = transfer["effective_from"]
    assert boundary == transfer["not_before"], "a site in reach needs no longer than it is given"
    starts = [boundary + step * INTERVAL_SECONDS for step in (-2, -1, 0, 1)]
    intervals = [await settled(cloud, start) for start in starts]
    first, end = starts[0], starts[-1] + INTERVAL_SECONDS

    readings = stored_readings(cloud, first, end)
    owners = {start: readings[tap, start]["owner"] for start in starts}
    assert list(owners.values()) == ["ben", "ben", "sun", "sun"]
    statements = {owner: await cloud.operator.statement(owner, first, end) for owner in OWNERS}
    for owner, statement in statements.items():
        assert {line.start: line.net_wh for line in statement.lines} == nets(readings, owner)
    lines = [(item.grid_wh, [statements[owner].lines[at] for owner in OWNERS]) for at, item in enumerate(intervals)]
    sums, proof = prove(lines, GRID_PRICES), await cloud.operator.proof()
    assert (sums.energy_wh, sums.ledger_micro) == (0, 0)
    assert (proof["energy_sum_wh"], proof["ledger_sum_micro"], proof["accounts_off"]) == (0, 0, 0)
    [found] = [subentry.data["owner"] for subentry in site.subentries.values() if subentry.data["tap"] == tap]
    assert found == "sun"


async def test_five_wrong_passcodes_lock_a_tap(hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud) -> None:
    """The dialogue says until when; even the right one opens nothing, and the tap stays whose it was."""
    tap = min(taps_of("ben"))
    await set_passcode(cloud, site, tap)
    flow_id, flows = await open_transfer(hass, site, tap), hass.config_entries.subentries
    tried = [
        (await flows.async_configure(flow_id, {"owner": "sun", "passcode": passcode})).get("errors")
        for passcode in ["wrong horse"] * WRONG_FREE + [PASSCODE]
    ]
    assert tried == [{"passcode": "passcode_refused"}] * WRONG_FREE + [{"base": "passcode_locked"}]
    assert rows_of(cloud.database, "SELECT * FROM transfer") == []
    outcomes = [row["outcome"] for row in rows_of(cloud.database, "SELECT outcome FROM passcode_try")]
    assert outcomes == ["wrong"] * WRONG_FREE
