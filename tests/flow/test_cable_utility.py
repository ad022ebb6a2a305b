"""The power provider's readings overrule the site: a host whose own meter lies, and one whose meter is broken.

Real are Home Assistant with each site, the cloud, the cables as programs, and the meters over Modbus; the provider
speaks to the cloud's own interface.
"""

from homeassistant.core import HomeAssistant

from demo.cloud import Operator

from .cable_programs import CablePrograms
from .cables import (
    GIVES_W,
    GIVES_WH,
    USES_WH,
    WHOLE_WH,
    assert_stopped_at_once,
    home,
    provider_of,
    provider_read,
    register,
    taught,
    until_cable,
    until_flagged,
    until_judged,
)
from .conftest import Cloud


async def test_what_the_provider_has_read_counts_more_than_the_meter_of_a_site(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """The liar's meter agrees, and the provider's does not: flagged. The other's does not, and the provider's does."""
    provider = await provider_of(cloud)
    async with home(hass, cloud, "liar") as liar, home(hass, cloud, "broken", owner="ben") as broken:
        visitors = {host: await cables.start(f"CWC-{host.name}") for host in (liar, broken)}
        for host, cable in visitors.items():
            await register(dora, cable)
            await host.plug_in(cable)
            await host.add_cable(cable)
        for host, cable in visitors.items():
            await until_cable(cable, "it may not", permission="allowed", site=host.site)
        await taught(list(visitors))
        broken.socket.divert(0)
        for cable in visitors.values():
            await cable.order("steer", set_point_w=-GIVES_W)
        [seen, *_] = await until_judged(cloud, broken.site, "nothing is judged", verdict="mismatch", least_wh=WHOLE_WH)
        await provider_read(provider, broken, seen["start"], USES_WH - GIVES_WH)
        await until_judged(
            cloud, broken.site, "the provider is not heard", start=seen["start"], witness="utility", state="final"
        )
        lies = await until_judged(cloud, liar.site, "nothing is judged", count=2, verdict="match", least_wh=WHOLE_WH)
        for row in lies[:2]:
            await provider_read(provider, liar, row["start"], USES_WH)
        flag = await until_flagged(cloud, liar.site)
        await assert_stopped_at_once(visitors[liar])
        assert flag["cause"] == "utility"
