"""Ten cables at one site: all together agree with the one meter, and each is judged for itself.

Real are Home Assistant with the site, the cloud, ten cables as programs with ten keys, and the meter over Modbus.
"""

import asyncio

from homeassistant.core import HomeAssistant

from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import GIVES_W, home, judged, register, taught, until_cable
from .conftest import Cloud, until
from .test_bad_days import assert_sums_hold

COUNT = 10


async def test_ten_cables_at_one_site_agree_with_its_meter_together(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """Some give and some take: one meter shows the sum, and each period of each cable matches."""
    async with home(hass, cloud, "garage") as host:
        visitors = await asyncio.gather(*(cables.start(f"CWC-{number}") for number in range(COUNT)))
        for cable in visitors:
            await register(dora, cable)
            await cable.order("car", plugged=False)
            await host.plug_in(cable)
            await host.add_cable(cable)
        for cable in visitors:
            await cable.order("car", plugged=True)
        for cable in visitors:
            await until_cable(cable, "it may not", permission="allowed", site=host.site)
        await taught([host])
        wished = {cable.serial: GIVES_W * (1 if number % 3 == 0 else -1) for number, cable in enumerate(visitors)}
        for cable in visitors:
            await cable.order("steer", set_point_w=wished[cable.serial])

        async def matching() -> set[str] | None:
            rows = [row for row in judged(cloud, host.site) if row["verdict"] == "match" and row["energy_wh"]]
            found = {row["cable"] for row in rows if (row["energy_wh"] > 0) == (wished[row["cable"]] > 0)}
            return found if len(found) == COUNT else None

        assert await until(matching, "not every cable matches") == set(wished)
        assert {row["verdict"] for row in judged(cloud, host.site)} <= {"match", "unknown"}
        assert_sums_hold(await cloud.operator.proof())
