"""Ben pays ahead: his points run out and his taps open, a voucher brings them back; in touch with the cloud or not."""

import logging
import math
import time
from typing import Any

from homeassistant.config_entries import ConfigEntry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest

from custom_components.commonwatt import breaker, supply
from demo.cloud import time_text
from demo.devices import House
from demo.house import DEVICES
from demo.register_map import Breaker

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, until

LOGGER = logging.getLogger(__name__)

POINT = 1_000_000
OPENED = ("ev", "washing_machine")
SPARED = ("refrigerator", "dishwasher", "heat_pump", "freezer", "pv")  # essential, feeds Anna's freezer, not Ben's
RESTORE_SECONDS_MAX = 10.0
RUNNING_OUT_SECONDS = 90


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits that keep a house from flickering; half an hour passes in five seconds here."""
    monkeypatch.setattr(breaker, "DWELL_SECONDS", 1)
    monkeypatch.setattr(supply, "OUT_OF_TOUCH_SECONDS", 3)


async def test_ben_runs_out_of_points_and_is_back_within_seconds(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, house: House
) -> None:
    """His breakers open over Modbus, what is essential or shared stays on, and a voucher closes them again."""
    await change_tap(hass, site, "refrigerator", more_options={"essential": True})
    await change_tap(hass, site, "freezer", upstream=tap_of("dishwasher"))
    await top_up(cloud, beyond_debt=1)
    await pays_ahead(cloud)
    await all_are(house, Breaker.OPEN)
    assert breakers(house, SPARED) == {Breaker.CLOSED}
    assert house.devices["ev"].shown().power_w == 0
    assert event_of(hass, site) == "cut_off"
    assert issue(hass, site) is not None
    assert (await credit(cloud))["state"] == "cut"

    assert await restored(cloud, house, beyond_debt=1000) < RESTORE_SECONDS_MAX

    async def told() -> bool | None:
        return (event_of(hass, site), issue(hass, site)) == ("restored", None) or None

    await until(told, "nobody told Ben that he is supplied again")
    reports = await until(lambda: reported(cloud, 4), "the cloud did not hear what the breakers did")
    assert {item["tap"] for item in reports} == {tap_of(key) for key in OPENED}
    assert {item["kind"] for item in reports} == {"cut-off-done", "restore-done"}
    changes = (await credit(cloud))["changes"]
    asked = [item for item in changes if item["asked"] is not None]
    assert [item["asked"] for item in asked[:2]] == ["restore", "cut"]
    assert all(heard["acknowledged_at"] for item in asked[:2] for heard in item["sites"])


async def test_without_the_cloud_the_reserve_cuts(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, house: House
) -> None:
    """Ben has points when the cloud goes away: he uses them up, is cut off, and is back when both are."""
    # the reserve counts at the grid's price: at one price for all, what it counts is what the cloud will settle
    same = {"local": "30", "grid_buy": "30", "grid_sell": "8"}
    await cloud.operator.put(f"/tariffs/{time_text(boundary_after(time.time()) + INTERVAL_SECONDS)}", same)
    await top_up(cloud, beyond_debt=150)
    await pays_ahead(cloud)

    async def known() -> bool | None:
        return (site.runtime_data.supply.reserves_wh.get("ben") or 0) > 0 or None

    await until(known, "the site does not know how far Ben's points reach")
    await cloud.stop()
    assert breakers(house, OPENED) == {Breaker.CLOSED}
    await all_are(house, Breaker.OPEN)
    assert site.runtime_data.supply.reasons["ben"] == "reserve_used_up"

    await cloud.start()
    await until(lambda: balance_below(cloud, 0), "what was used meanwhile was not settled", RUNNING_OUT_SECONDS)
    await all_are(house, Breaker.OPEN)  # the link alone brings no points
    assert await restored(cloud, house, beyond_debt=1000) < RESTORE_SECONDS_MAX


async def all_are(house: House, state: Breaker) -> None:
    """Wait until Ben's breakers are all open, or all closed."""

    async def are() -> bool | None:
        return breakers(house, OPENED) == {state} or None

    await until(are, f"Ben's breakers are not {state.name}", RUNNING_OUT_SECONDS)


async def restored(cloud: Cloud, house: House, *, beyond_debt: int) -> float:
    """Give Ben points; return how many seconds later his breakers are closed."""
    await top_up(cloud, beyond_debt=beyond_debt)
    began = time.monotonic()
    await all_are(house, Breaker.CLOSED)
    seconds = time.monotonic() - began
    LOGGER.info("restored %.2f s after the voucher", seconds)
    return seconds


def breakers(house: House, keys: tuple[str, ...]) -> set[Breaker]:
    """Return the states of these devices' breakers."""
    return {house.devices[key].breaker for key in keys}


def tap_of(key: str) -> str:
    """Return the tap id of a device; taps are numbered in the order they were added."""
    return f"T{next(number for number, device in enumerate(DEVICES, 1) if device.key == key)}"


async def change_tap(hass: HomeAssistant, site: ConfigEntry[Any], key: str, **changed: Any) -> None:
    """Change a tap's details as a person does."""
    device = next(device for device in DEVICES if device.key == key)
    subentry = next(item for item in site.subentries.values() if item.data["tap"] == tap_of(key))
    flows = hass.config_entries.subentries
    context = SubentryFlowContext(source="reconfigure", subentry_id=subentry.subentry_id)
    flow = await flows.async_init((site.entry_id, "tap"), context=context)
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "details"})
    details = {"name": device.name, "upstream": "T1", "rated_power_w": device.rated_power_w}
    flow = await flows.async_configure(flow["flow_id"], details | changed)
    assert flow["reason"] == "reconfigure_successful", flow
    await hass.async_block_till_done()


async def call(cloud: Cloud, method: str, path: str, body: Any = None) -> Any:
    """Ask the cloud something as its operator."""
    return await cloud.operator._call(method, f"{cloud.operator._path}{path}", json=body)


async def pays_ahead(cloud: Cloud) -> None:
    """Let Ben pay ahead, and hear of a low balance only when it is gone."""
    await call(cloud, "PUT", "/owners/ben/credit/limit", {"low_balance_micro": 0})
    await call(cloud, "PATCH", "/owners/ben", {"prepaid": True})


async def top_up(cloud: Cloud, *, beyond_debt: int) -> None:
    """Give Ben a voucher that pays what he owes and leaves him so many points or one more."""
    debt = max(0, math.ceil(-(await credit(cloud))["balance_micro"] / POINT))
    made = await call(cloud, "POST", "/vouchers", {"points": debt + beyond_debt})
    await call(cloud, "POST", "/owners/ben/vouchers", {"code": made["vouchers"][0]["code"]})


async def credit(cloud: Cloud) -> Any:
    """Return how Ben stands."""
    return await call(cloud, "GET", "/owners/ben/credit")


async def balance_below(cloud: Cloud, micro: int) -> bool | None:
    """Tell whether Ben's balance is below an amount."""
    return (await credit(cloud))["balance_micro"] < micro or None


async def reported(cloud: Cloud, count: int) -> list[dict[str, Any]] | None:
    """Return what was reported of Ben's breakers, once it is so much."""
    reports: list[dict[str, Any]] = (await call(cloud, "GET", "/owners/ben/credit/reports"))["reports"]
    return reports if len(reports) >= count else None


def event_of(hass: HomeAssistant, site: ConfigEntry[Any]) -> str | None:
    """Return what happened last to Ben's supply."""
    key = f"{site.data['key_id']}_owner_ben_supply"
    entity_id = er.async_get(hass).async_get_entity_id("event", "commonwatt", key)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    happening: str | None = state.attributes["event_type"]
    return happening


def issue(hass: HomeAssistant, site: ConfigEntry[Any]) -> ir.IssueEntry | None:
    """Return the repair issue of a cut."""
    return ir.async_get(hass).async_get_issue("commonwatt", f"cut_off_{site.entry_id}")
