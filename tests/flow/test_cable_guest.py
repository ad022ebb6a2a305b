"""Visitors under a standing consent: the host said yes once, and a cable that is plugged in is added by itself.

Real are Home Assistant with the host's site, the cloud, and the cable as a program that is asked over Modbus.
The announcement is what multicast DNS hands to Home Assistant.
"""

import asyncio
from ipaddress import ip_address
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from demo.cable_remote import CableRemote
from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import CABLE, GIVES_W, METER, Home, home, register, until_cable, until_judged
from .conftest import Cloud


async def test_a_visiting_cable_is_added_by_the_hosts_standing_consent(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """Below the meter, by its driver's registered key; one that nobody registered waits for a person."""
    async with home(hass, cloud, "cafe") as host:
        stranger, cable = await asyncio.gather(cables.start("CWC-NOBODY"), cables.start("CWC-1"))
        await register(dora, cable)
        await host.plug_in(cable, set_point_w=-GIVES_W)
        assert (await announced(hass, cable))["type"] is FlowResultType.FORM, "nobody has said yes so far"
        for flow in hass.config_entries.flow.async_progress():
            hass.config_entries.flow.async_abort(flow["flow_id"])

        await consent(hass, host)
        assert (await announced(hass, cable))["type"] is FlowResultType.ABORT
        await hass.async_block_till_done()
        [visitor] = [item for item in host.entry.subentries.values() if item.subentry_type == "cable"]
        assert (visitor.data["tap"], visitor.data["upstream"]) == (CABLE, METER)
        await until_cable(cable, "it may not", permission="allowed", site=host.site, power_w=-GIVES_W)

        await host.plug_in(stranger)
        assert (await announced(hass, stranger))["type"] is FlowResultType.FORM, "a person decides on it"
        [row, *_] = await until_judged(cloud, host.site, "its first period is not judged")
        assert (row["cable"], row["driver"]) == ("CWC-1", "dora")


async def consent(hass: HomeAssistant, host: Home) -> None:
    """Say yes to visiting cables in the options of the site."""
    form = await hass.config_entries.options.async_init(host.entry.entry_id)
    assert form["type"] is FlowResultType.FORM, form
    done = await hass.config_entries.options.async_configure(
        form["flow_id"], {"visiting_cables": True, "visiting_tap": METER}
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY, done
    await hass.async_block_till_done()


async def announced(hass: HomeAssistant, cable: CableRemote) -> dict[str, Any]:
    """Let a cable announce itself, as it does when it is plugged in; return what became of it."""
    shown = await cable.order("show")
    address = ip_address(shown["host"])
    info = ZeroconfServiceInfo(
        ip_address=address,
        ip_addresses=[address],
        port=shown["port"],
        hostname=f"{cable.serial.lower()}.local.",
        type="_commonwatt._tcp.local.",
        name=f"{cable.serial}._commonwatt._tcp.local.",
        properties={"serial": cable.serial, "kind": "cable", "unit_id": "1", "map": "1"},
    )
    return dict(await hass.config_entries.flow.async_init("commonwatt", context={"source": "zeroconf"}, data=info))
