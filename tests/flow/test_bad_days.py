"""Bad days: a silent meter, a cloud that is gone, batches twice or forged, a restart with a full outbox."""

import asyncio
from itertools import pairwise
from pathlib import Path
import time
from typing import Any

import aiohttp
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from cloud.wire import SIGNATURE_HEADER, digest
from demo.devices import House

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, settled, until
from .stores import outbox_rows, rows_of

BEN, EV = "ben", "T3"


async def test_a_silent_meter_leaves_a_gap_and_no_invented_energy(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, house: House
) -> None:
    """Two intervals without the car's meter read `missing`; the next carries the whole register difference."""
    quiet = boundary_after(time.time()) + INTERVAL_SECONDS
    await asyncio.sleep(quiet - time.time() - 0.5)
    await house.devices["ev"].stop()
    await asyncio.sleep(quiet + 2 * INTERVAL_SECONDS + 1.5 - time.time())
    await house.devices["ev"].start()
    starts = [quiet + step * INTERVAL_SECONDS for step in range(-1, 5)]
    for start in starts:
        await settled(cloud, start)

    lines = (await cloud.operator.statement(BEN, starts[0], starts[-1] + INTERVAL_SECONDS)).lines
    qualities = [line.quality for line in lines]
    assert qualities[:3] == ["estimated", "missing", "missing"]
    found = next(place for place, quality in enumerate(qualities[1:], 1) if quality != "missing")
    assert qualities[found] == "estimated"
    rows = {row["start"]: row for row in readings_of(cloud, EV)}
    assert [rows[start]["import_wh"] for start in starts[1:found]] == [0] * (found - 1), "nothing measured, or claimed"
    registers = [rows[start]["import_register_wh"] for start in [starts[0] - INTERVAL_SECONDS, *starts]]
    steps = [after - before for before, after in pairwise(registers)]
    assert [rows[start]["import_wh"] for start in starts] == steps, "every Wh is the difference of two registers"
    assert rows[starts[found]]["import_wh"] > 0, "the gap's energy is found again"
    assert_sums_hold(await cloud.operator.proof())
    await spread_and_corrected(hass, site, cloud, starts[1 : found + 1])


async def spread_and_corrected(hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, gap: list[int]) -> None:
    """Spread the gap as a person would: the cloud settles the difference, and the statement still verifies."""
    before = {row["start"]: row["import_wh"] for row in readings_of(cloud, EV)}
    data = {"config_entry_id": site.entry_id}
    answer = await hass.services.async_call("commonwatt", "spread_gap", data, blocking=True, return_response=True)
    assert answer == {"gaps": 1, "intervals": len(gap)}
    corrected = "SELECT start FROM settled_correction WHERE revision = 1"

    async def booked() -> bool | None:
        return {row["start"] for row in rows_of(cloud.database, corrected)} >= set(gap) or None

    await until(booked, "the gap was not corrected")
    rows = {row["start"]: row for row in readings_of(cloud, EV)}
    assert {rows[start]["quality"] for start in gap} == {"estimated"}
    assert all(rows[start]["import_wh"] > 0 for start in gap)
    assert sum(rows[start]["import_wh"] for start in gap) == sum(before[start] for start in gap)
    assert_sums_hold(await cloud.operator.proof())
    told = await hass.services.async_call("commonwatt", "verify_statement", data, blocking=True, return_response=True)
    assert told is not None
    assert told["lines_altered"] == []


async def test_a_cloud_that_was_gone_gets_everything_once(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """The house goes on measuring; when the cloud is back, all it missed arrives, and nothing twice."""
    gone = boundary_after(time.time())
    await cloud.stop()
    await asyncio.sleep(3 * INTERVAL_SECONDS)
    assert int(state_of(hass, site, "outbox_depth")) >= 2
    assert state_of(hass, site, "cloud_link") == "off"
    unreachable = [record for record in caplog.records if record.levelname == "WARNING" and "reach" in record.message]
    assert len(unreachable) <= 1, "silence is logged once"
    await cloud.start()

    starts = [gone + step * INTERVAL_SECONDS for step in range(3)]
    for start in starts:
        await settled(cloud, start)
    assert {row["quality"] for row in readings_of(cloud, EV) if row["start"] in starts} <= {"ok", "estimated"}
    assert_chain_is_whole(cloud)
    assert_sums_hold(await cloud.operator.proof())

    async def drained() -> bool | None:
        return (state_of(hass, site, "cloud_link") == "on" and int(state_of(hass, site, "outbox_depth")) <= 1) or None

    await until(drained, "the outbox was not drained")


async def test_a_batch_sent_twice_counts_once_and_a_forged_one_never(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud
) -> None:
    """The same bytes are answered `exists`; one altered Wh breaks the signature; neither moves a point."""
    await hass.config_entries.async_unload(site.entry_id)
    batch = stored_batches(cloud)[-1]
    before = await cloud.operator.proof()
    token = await site_token(cloud, site)

    status, answer = await post(cloud, token, batch["raw"], batch["signature"])
    assert (status, answer["result"], answer["hash"]) == (200, "exists", digest(batch["raw"]))
    forged = batch["raw"].replace(b'"import_wh":[', b'"import_wh":[1', 1)
    status, answer = await post(cloud, token, forged, batch["signature"])
    assert (status, answer["type"]) == (403, "signature-refused")
    assert answer["reference"]
    status, answer = await post(cloud, token, b'{"v":' + b" " * 1_100_000 + b"1}", batch["signature"])
    assert (status, answer["type"]) == (413, "body-too-large")
    status, answer = await post(cloud, "stolen", batch["raw"], batch["signature"])
    assert (status, answer["type"]) == (401, "not-authorised")

    assert stored_batches(cloud)[-1] == batch
    assert await cloud.operator.proof() == before


async def test_a_restart_with_a_full_outbox_loses_nothing(
    hass: HomeAssistant, site: ConfigEntry[Any], cloud: Cloud
) -> None:
    """Home Assistant closes the site and opens it again while the cloud is away; every interval still arrives once."""
    gone = boundary_after(time.time())
    await cloud.stop()
    await asyncio.sleep(gone + 2 * INTERVAL_SECONDS + 2 - time.time())
    assert await hass.config_entries.async_unload(site.entry_id)
    kept = outbox_rows(Path(hass.config.config_dir))
    assert kept >= 2, "the outbox is full when the program ends"
    assert await hass.config_entries.async_setup(site.entry_id)
    await asyncio.sleep(INTERVAL_SECONDS)
    await cloud.start()

    last = boundary_after(time.time())
    starts = list(range(gone, last + 1, INTERVAL_SECONDS))
    for start in starts:
        await settled(cloud, start)
    assert {row["start"] for row in readings_of(cloud, EV)} >= set(starts)
    assert_chain_is_whole(cloud)
    assert_sums_hold(await cloud.operator.proof())


def assert_sums_hold(proof: dict[str, int]) -> None:
    """Check energy and points against the cloud's own count over its rows."""
    assert (proof["energy_sum_wh"], proof["ledger_sum_micro"], proof["accounts_off"]) == (0, 0, 0)
    assert proof["entries"] > 0


def assert_chain_is_whole(cloud: Cloud) -> None:
    """Check that numbers have no gap, each batch names the one before, and no interval of a tap was derived twice."""
    batches = stored_batches(cloud)
    assert [batch["seq"] for batch in batches] == list(range(1, len(batches) + 1))
    for before, after in pairwise(batches):
        assert f'"prev":"{digest(before["raw"])}"'.encode() in after["raw"]
    rows = readings_of(cloud, EV)
    for before, after in pairwise(rows):
        assert after["start"] == before["start"] + INTERVAL_SECONDS
        assert after["import_wh"] == after["import_register_wh"] - before["import_register_wh"]


def state_of(hass: HomeAssistant, site: ConfigEntry[Any], key: str) -> str:
    """Return the state of one of the site's own entities by its translation key."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), site.entry_id)
    entity = next(item for item in entities if item.translation_key == key and item.config_subentry_id is None)
    state = hass.states.get(entity.entity_id)
    assert state is not None
    return state.state


def readings_of(cloud: Cloud, tap: str) -> list[dict[str, Any]]:
    """Return the readings derived for a tap, in order of time."""
    return rows_of(cloud.database, "SELECT * FROM reading WHERE tap = ? ORDER BY start", tap)


def stored_batches(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the stored evidence in order."""
    return rows_of(cloud.database, "SELECT * FROM batch ORDER BY epoch, seq")


async def site_token(cloud: Cloud, site: ConfigEntry[Any]) -> str:
    """Return an access token of the site itself."""
    headers = {"Authorization": aiohttp.encode_basic_auth(site.data["client_id"], site.data["client_secret"])}
    form = {"grant_type": "client_credentials"}
    async with cloud.session.post(f"{cloud.url}/v1/token", data=form, headers=headers) as answer:
        token: str = (await answer.json())["access_token"]
        return token


async def post(cloud: Cloud, token: str, raw: bytes, signature: str) -> tuple[int, dict[str, Any]]:
    """Send bytes as a batch; return the status and the JSON answer."""
    headers = {"Authorization": f"Bearer {token}", SIGNATURE_HEADER: signature, "Content-Type": "application/json"}
    async with cloud.session.post(f"{cloud.url}/v1/batches", data=raw, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)
