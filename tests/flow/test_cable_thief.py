"""A host who draws what a visitor's car gives before the meter: seen by the site, judged by the cloud, stopped.

Real are Home Assistant with the host's site, the cloud, the cables as programs, and the meter over Modbus. The theft is
in the wiring: what flows through the socket does not pass the meter. The site itself is honest.
"""

from homeassistant.core import HomeAssistant

from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import (
    GIVES_W,
    assert_stopped_at_once,
    home,
    judged,
    register,
    taught,
    until_cable,
    until_flagged,
    until_judged,
)
from .conftest import Cloud


async def test_a_host_who_steals_what_a_car_gives_is_seen_judged_and_refused(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """The meter stands still: mismatch, repair, flag; the cable stops within 2 s, unpaid, and refused from now on."""
    async with home(hass, cloud, "thief") as host:
        cable = await cables.start("CWC-1")
        await register(dora, cable)
        await host.plug_in(cable)
        await host.add_cable(cable)
        await until_cable(cable, "it may not", permission="allowed", site=host.site)
        await taught([host])
        host.socket.divert(0)
        await cable.order("steer", set_point_w=-GIVES_W)
        await host.until_shown("agreement", "mismatch")
        assert host.repair("cable_mismatch") is not None
        assert "mismatch" in host.happened
        await until_cable(cable, "it does not know of the mismatch", agreement=1)

        flag = await until_flagged(cloud, host.site)
        await assert_stopped_at_once(cable)
        assert (flag["permission"], flag["cause"]) == ("denied", "mismatch")
        await host.until_shown("permission", "denied")
        assert host.repair("cable_denied") is not None
        assert "permission_changed" in host.happened
        rows = await until_judged(cloud, host.site, "two periods do not speak against it", count=2, verdict="mismatch")
        assert {row["state"] for row in rows} == {"withheld"}

        given = (await host.pull_out(cable))["export_wh"]
        await host.plug_in(cable, set_point_w=-GIVES_W)
        await until_cable(cable, "it is not refused at the next plug-in", permission="denied", site=host.site)
        assert (await cable.order("show"))["export_wh"] == given, "not a Wh at a flagged site"
        assert [row for row in judged(cloud, host.site) if row["state"] == "final" and row["energy_wh"]] == []
        assert (await dora.statement("dora", flag["set_at"] - 600, flag["set_at"] + 600)).moved_micro("v2g-reward") == 0
