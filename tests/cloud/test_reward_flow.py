"""The whole way of a reward, by the doors everybody uses: signed, reported, judged, settled, paid, told, audited."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.__main__ import main
from cloud.config import Config
from cloud.notice.kind import CABLES
from cloud.notice.store import notice_table
from cloud.principal import Scope
from cloud.settlement.job import settle
from cloud.v2g.corrections.delivery.signed import signature
from cloud.v2g.job import CableWork

from .cable_ground import SERIAL, START, Host, SigningCable, host, period
from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, running
from .people import HILLSIDE, Caller, made
from .test_corrections import receiving

TERMS = {"base_micro": 1_000_000, "price_micro_per_wh": 20_000}
PRICES = {"local": None, "grid_buy": "30", "grid_sell": "8"}
PERIODS = 7
GAVE_WH = 100
PROVIDER = Caller(Scope.PROVIDER, COMMUNITY)
ANNA, DRIVER = Caller(Scope.OWNER, COMMUNITY, "anna"), Caller(Scope.OWNER, HILLSIDE, "ben")
DAY = {"from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z"}


async def statement(cloud: Cloud, caller: Caller) -> Any:
    """Return an owner's statement of the day."""
    query = "&".join(f"{name}={value}" for name, value in DAY.items())
    reply = await caller.call(cloud, "GET", f"owners/{caller.owner}/statement?{query}")
    assert reply.status == 200, reply.json
    return reply.json


async def visited(cloud: Cloud, *, stolen: bool = False) -> Host:
    """Let a cable of the hillside's ben give some energy at anna's, period by period, until all has been looked at.

    Where the host steals it, her meter does not show it.
    """
    for community in (COMMUNITY, HILLSIDE):
        await cloud.found(community)
        put = await cloud.operator("PUT", f"{community}/tariffs/2026-11-01T00:00:00Z", PRICES)
        assert put.status < 300, put.json
    assert (await cloud.operator("PUT", f"{COMMUNITY}/v2g/terms", TERMS)).status < 300
    with cloud.database.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE v2g_terms SET valid_from = 0")  # as if they had been set before the visit
    at, cable = await host(cloud), SigningCable()
    assert (await cable.register(cloud, HILLSIDE)).status < 300
    assert (await at.plug(cable, START)).status == 200
    for number in range(PERIODS):
        start = START + number * INTERVAL
        record = cable.sign(start, -GAVE_WH, site=at.id)
        used_wh = 700 + (GAVE_WH * 9 if stolen else GAVE_WH)
        measured = period(-GAVE_WH, meter_wh=700, consumption_wh=used_wh)
        reply = await at.report(start, [measured], [(SERIAL, record)])
        assert reply.status in (200, 201), reply.json
    for now in (NOON, NOON + 1, NOON + 2):
        await settle(cloud.database, now)
        work = CableWork(cloud.database)
        while await work.turn(now):
            pass
        assert not work.hands.failing
    return at


async def test_an_honest_visit_is_paid_on_both_sides(cloud: Cloud) -> None:
    """What the look-back has passed is booked: the driver's statement has the reward, the host's its correction."""
    at = await visited(cloud)
    driver, anna = await statement(cloud, DRIVER), await statement(cloud, ANNA)
    rewards = [item for item in driver["movements"] if item["kind"] == "v2g-reward"]
    hosts = [item for item in anna["movements"] if item["kind"] == "v2g-host"]
    assert len(rewards) == len(hosts) == PERIODS - 4
    assert {item["points_micro"] for item in rewards} == {1_000_000 + GAVE_WH * 20_000}
    assert driver["totals"]["rewards_micro"] == sum(item["points_micro"] for item in rewards)
    assert all(item["points_micro"] < 0 for item in hosts)
    assert anna["totals"]["rewards_micro"] == 0
    told = (await PROVIDER.call(cloud, "GET", "/v1/provider/corrections")).json["corrections"]
    assert [(item["site"], item["cable_export_wh"]) for item in told] == [(at.id, GAVE_WH)] * len(hosts)
    assert told[0]["host_net_wh"] == 700 + GAVE_WH


async def test_a_running_cloud_sends_corrections_by_itself(config: Config) -> None:
    """A provider that the operator made gets what is booked, signed by the secret it was shown."""
    async with running(replace(config, private_webhooks=True)) as cloud, receiving() as receiver:
        await cloud.found()
        client, secret = await made(cloud, "provider")
        token = await cloud.token(client, secret)
        path = "/v1/provider/corrections/subscription"
        shown = await cloud.call("PUT", path, token=token, json={"url": receiver.url})
        assert shown.status == 201, shown.json
        await visited(cloud)
        await asyncio.wait_for(receiver.news.wait(), 20)
        header, raw = receiver.got[0]
        at = int(header.removeprefix("t=").partition(",")[0])
        assert header == signature(shown.json["secret"], raw, at)
        assert receiver.numbers[0][0] == 1


async def test_the_drivers_home_hears_of_what_waits_and_of_what_came(cloud: Cloud) -> None:
    """It fetches the standing anew: what was booked, and what still waits for the look-back."""
    await cloud.found(HILLSIDE)
    home = await cloud.join(HILLSIDE)
    await cloud.operator("PUT", f"{HILLSIDE}/owners/ben", {"name": "Ben"})
    with cloud.database.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE site SET main_owner = 'ben'")
    await visited(cloud)
    kinds = {row.kind for row in await cloud.rows(notice_table, site=home.site)}
    assert CABLES in kinds
    reply = await home.get(f"cables/{SERIAL}")
    earned = 1_000_000 + GAVE_WH * 20_000
    assert reply.json["reward"]["total_micro"] == (PERIODS - 4) * earned
    assert reply.json["reward"]["pending_micro"] == 4 * earned


async def test_stolen_energy_is_paid_to_nobody(cloud: Cloud) -> None:
    """The host's meter did not move: no reward, and no debit for anybody either."""
    await visited(cloud, stolen=True)
    for caller in (DRIVER, ANNA):
        assert (await statement(cloud, caller))["movements"] == []
    assert (await PROVIDER.call(cloud, "GET", "/v1/provider/corrections")).json["corrections"] == []


async def test_the_driver_reads_and_prints_what_it_was(cloud: Cloud) -> None:
    """In the browser and in the table, in words and with the time it is about."""
    await visited(cloud)
    link = (await DRIVER.call(cloud, "POST", "owners/ben/statement/links", DAY | {"language": "ja"})).json
    page = await cloud.call("GET", link["url"].removeprefix(cloud.config.public_url))
    table = await cloud.call("GET", link["csv_url"].removeprefix(cloud.config.public_url))
    assert "V2Gケーブルの報酬" in page.raw.decode()
    rows = [row for row in table.raw.decode().splitlines() if ",v2g-reward," in row]
    assert len(rows) == PERIODS - 4
    assert all(",3.000000," in row and row.endswith("2026-11-21 03:00 CET") for row in rows[:1])
    journal = (await cloud.operator("GET", f"{HILLSIDE}/journal.csv")).raw.decode()
    assert journal.count("v2g-reward:") == 2 * len(rows)


async def test_the_audit_of_the_program_looks_at_rewards(
    cloud: Cloud, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound as it was booked; one reward altered by a hand in the database is a finding."""
    await visited(cloud)
    monkeypatch.setenv("COMMONWATT_DATABASE_URL", replace(config).database_url)
    assert await cloud_audit() == 0, capsys.readouterr().out
    with cloud.database.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE rewarded_period SET price_micro_per_wh = 90000")
    assert await cloud_audit() == 1
    assert "price_micro_per_wh: stored 90000, recomputed 20000" in capsys.readouterr().out


async def cloud_audit() -> int:
    """Run the program's audit beside the cloud."""
    return await asyncio.to_thread(main, ["audit"])
