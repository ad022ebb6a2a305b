"""Where a cable may not: a stranger's site flagged before, a place that is not where it should be, a stolen cable.

Real are Home Assistant with each site, the cloud, and the cables as programs; the operator speaks to the cloud's own
interface. Where there are two sites, one Home Assistant has them both.
"""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import (
    CABLE,
    GIVES_W,
    HOME,
    assert_stopped_at_once,
    home,
    register,
    until_cable,
)
from .conftest import Cloud

FAR = (HOME[0] + 0.045, HOME[1])  # 5 km to the north
LITTLE_WH, ENOUGH_WH = 4_800, 20_000  # 12 % of the car, and half of it


async def test_at_a_flagged_site_a_car_may_charge_only_when_it_has_little_left(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """Refused as it is plugged in; at 12 % it may charge, and never discharge; lifted with a note, it may again."""
    async with home(hass, cloud, "stranger") as host:
        path = f"/sites/{host.site}/permission"
        flag = {"permission": "denied", "note": "the owner of the shop asked for it"}
        await cloud.operator.put(path, flag)
        cable = await cables.start("CWC-1")
        await register(dora, cable)
        await host.plug_in(cable, set_point_w=-GIVES_W)
        await host.add_cable(cable)
        shown = await until_cable(cable, "it was not refused", permission="denied", site=host.site)
        await host.until_shown("permission", "denied")
        assert host.repair("cable_denied") is not None
        assert (shown["power_w"], shown["export_wh"]) == (0, 0)

        await cable.order("car", energy_wh=LITTLE_WH)
        await until_cable(cable, "a stranded car may not charge", permission="charge_only", power_w=0)
        charging = await cable.order("steer", set_point_w=3 * GIVES_W)
        assert charging["power_w"] > 0
        await cable.order("car", energy_wh=ENOUGH_WH)
        await until_cable(cable, "with enough in it, it goes on", permission="denied", power_w=0)

        await cloud.operator.post(f"{path}/lift", {"note": "talked to the owner"})
        await until_cable(cable, "it does not know that it may again", permission="allowed")
        assert (await cable.order("show"))["export_wh"] == 0


async def test_a_cable_far_from_where_the_site_is_registered_may_not_discharge(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """5 km off is as a flag while it is so: the site's id was carried somewhere else."""
    async with home(hass, cloud, "carried", place=HOME) as host:
        cable = await cables.start("CWC-1")
        await cable.order("place", latitude=FAR[0], longitude=FAR[1])
        await register(dora, cable)
        await host.plug_in(cable, set_point_w=-GIVES_W)
        await host.add_cable(cable)
        await until_cable(cable, "it was not refused", permission="denied", site=host.site, export_wh=0)
        await host.until_shown("permission", "denied")
        await host.pull_out(cable)
        await cable.order("place", latitude=HOME[0], longitude=HOME[1])
        await host.plug_in(cable)
        await until_cable(cable, "at its place it may", permission="allowed", site=host.site)


async def test_a_stolen_cable_stops_at_the_host_as_its_driver_says_so(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """Dora has it at home, then it feeds a stranger's house; she reports it from her own Home Assistant."""
    await cloud.operator.put("/owners/dora", {"name": "Dora"})
    async with home(hass, cloud, "hers", owner="dora") as hers, home(hass, cloud, "host") as host:
        cable = await cables.start("CWC-1")
        await register(cloud.operator, cable)
        await hers.plug_in(cable)
        await hers.add_cable(cable)
        await until_cable(cable, "it may not at home", permission="allowed", site=hers.site)
        await hers.pull_out(cable)
        await host.plug_in(cable, set_point_w=-GIVES_W)
        await host.meet(cable, hers)
        await until_cable(cable, "it may not at the host's", permission="allowed", site=host.site, power_w=-GIVES_W)

        name = "commonwatt", f"{hers.entry.data['key_id']}_{CABLE}"
        device = dr.async_get(hass).async_get_device_by_identifier(name, hers.entry.entry_id)
        assert device is not None
        await hass.services.async_call(
            "commonwatt", "report_stolen", {"device_id": device.id}, blocking=True, return_response=True
        )
        await assert_stopped_at_once(cable)
        await host.until_shown("permission", "denied")
