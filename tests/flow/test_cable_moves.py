"""A cable that moves on within a period: both hosts' sites report their part, and both parts settle.

Real are two sites in one Home Assistant, the cloud, the cable as a program, and both meters over Modbus. The cable is
pulled out of the wall, so the first site never reads its last record: the second one hands it on. Each part is final as
soon as the power provider's reading shows it.
"""

import asyncio
from itertools import pairwise
import time

from homeassistant.core import HomeAssistant

from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import (
    GIVES_W,
    QUIET_S,
    READ_S,
    home,
    judged,
    provider_of,
    provider_read,
    register,
    taught,
    until_cable,
    until_judged,
)
from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, until
from .stores import rows_of
from .test_bad_days import assert_sums_hold

PART_S = 2.6  # into a period of five seconds it has given enough to the first host


async def test_a_cable_that_moves_within_a_period_settles_at_both_sites(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """What it gave at each is signed for each, matches each meter, and becomes final; no Wh is there twice or not."""
    provider = await provider_of(cloud)
    async with home(hass, cloud, "first") as first, home(hass, cloud, "second", owner="ben") as second:
        cable = await cables.start("CWC-1")
        await register(dora, cable)
        await taught(
            [first, second]
        )  # before it comes: one pulled out unseen may still be there, and nothing is learnt
        for host in (second, first):
            await host.plug_in(cable)
            await (host.add_cable(cable) if host is second else host.meet(cable, second))
            await until_cable(cable, "it may not", permission="allowed", site=host.site)
            if host is second:
                await host.pull_out(cable)
        start = boundary_after(time.time())
        await asyncio.sleep(start + QUIET_S - time.time())
        await cable.order("steer", set_point_w=-GIVES_W)
        await asyncio.sleep(start + PART_S - time.time())
        left = await cable.order("steer", set_point_w=0)
        await asyncio.sleep(READ_S)
        await cable.order("unplug")
        assert time.time() < start + INTERVAL_SECONDS, "it moves within one period"

        await second.plug_in(cable)
        await until_cable(cable, "it may not", permission="allowed", site=second.site)
        await asyncio.sleep(boundary_after(time.time()) + QUIET_S - time.time())
        await cable.order("steer", set_point_w=-GIVES_W)
        [there] = await until_judged(cloud, first.site, "its part at the first is not judged", verdict="match")
        assert (there["start"], there["energy_wh"]) == (start, -left["export_wh"])
        [here, *_] = await until_judged(cloud, second.site, "it is not judged at the second", verdict="match")
        for host, row in ((first, there), (second, here)):
            await provider_read(provider, host, row["start"], row["meter_wh"])
        for host, row in ((first, there), (second, here)):
            await until_judged(cloud, host.site, "it is not final", start=row["start"], state="final")
        await cable.order("steer", set_point_w=0)
        await assert_every_wh_is_signed_once(cloud, cable.serial)
        assert {row["verdict"] for row in judged(cloud, first.site)} <= {"match", "unknown"}
        assert_sums_hold(await cloud.operator.proof())


async def assert_every_wh_is_signed_once(cloud: Cloud, cable: str) -> None:
    """Check that the records of both sites are one row of numbers, and the registers in them one row of energy."""

    async def whole() -> bool | None:
        query = "SELECT * FROM signed_record WHERE cable = ? ORDER BY number"
        rows = rows_of(cloud.database, query, cable)
        numbers = [row["number"] for row in rows]
        joined = all(
            after["export_from_wh"] == before["export_from_wh"] + before["export_wh"]
            for before, after in pairwise(rows)
        )
        delivered = {row["delivered_site"] for row in rows if row["site"]}
        return (numbers == list(range(numbers[0], numbers[-1] + 1)) and joined and len(delivered) == 2) or None

    await until(whole, "records are missing")
