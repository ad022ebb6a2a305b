"""An honest host: what a visitor's car gives is seen by the meter, signed by the cable, judged, and paid.

Real are Home Assistant with the host's site, the cloud, the cable as a program of its own, and the meter over Modbus.
Host and driver live in different communities.
"""

import time

from homeassistant.core import HomeAssistant

from demo.cloud import Operator
from demo.community import GRID_PRICES

from .cable_programs import CablePrograms
from .cables import GIVES_W, WHOLE_WH, home, judged, register, taught, until_cable, until_judged
from .conftest import INTERVAL_SECONDS, TERMS, Cloud, settled, until
from .test_bad_days import assert_sums_hold

HOUR_S = 3600


async def test_what_a_visitor_gives_is_seen_signed_judged_and_paid(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """The meter agrees, the reward becomes final, the driver's statement has it, and the host's bill is as without."""
    async with home(hass, cloud, "host") as host:
        cable = await cables.start("CWC-1")
        await register(dora, cable)
        await host.plug_in(cable)
        await host.add_cable(cable)
        await until_cable(cable, "it may not", permission="allowed", site=host.site, period_seconds=INTERVAL_SECONDS)
        await taught([host])
        await cable.order("steer", set_point_w=-GIVES_W)
        await host.until_shown("agreement", "match")
        [row, *_] = await until_judged(cloud, host.site, "no whole period matches", least_wh=WHOLE_WH, verdict="match")
        assert (row["driver_community"], row["driver"]) == ("drivers", "dora")
        start = row["start"]
        [final] = await until_judged(cloud, host.site, "it is not final", start=start, state="final")
        assert (final["witness"], final["host_owner"]) == ("lookback", "anna")
        await settled(cloud, start)
        await assert_paid(cloud, dora, host.site, start)
        assert {row["verdict"] for row in judged(cloud, host.site)} <= {"match", "unknown"}
        assert_sums_hold(await cloud.operator.proof())
        assert_sums_hold(await dora.proof())


async def assert_paid(cloud: Cloud, dora: Operator, site: str, start: int) -> None:
    """Check that the driver has earned what the terms say, and that the host pays what it would pay without a cable."""

    async def paid() -> bool | None:
        rows = [row for row in judged(cloud, site) if row["state"] == "final"]
        last = int(time.time()) // INTERVAL_SECONDS * INTERVAL_SECONDS + INTERVAL_SECONDS
        driver, host = (
            await dora.statement("dora", start - HOUR_S, last),
            await cloud.operator.statement("anna", start - HOUR_S, last),
        )
        earned = sum(TERMS["base_micro"] - TERMS["price_micro_per_wh"] * row["energy_wh"] for row in rows)
        net_wh = {line.start: line.net_wh for line in host.lines}
        legs = sum(bill(net_wh[row["start"]]) - bill(net_wh[row["start"]] - row["energy_wh"]) for row in rows)
        told = driver.moved_micro("v2g-reward"), host.moved_micro("v2g-host")
        return told == (earned, legs) or None

    await until(paid, "driver and host are not paid what they should be")


def bill(net_wh: int) -> int:
    """Return what the host pays for a net, in micro-points."""
    return net_wh * (GRID_PRICES.buy if net_wh > 0 else GRID_PRICES.sell)
