"""A hostile host who owns what its site says: it drops, scales, replays or re-homes what a cable signed.

Real are four sites in one Home Assistant, the cloud, and a cable as a program at each. Where a site hands the records
of a cable on, its host changes them (`tests/hostile.py`); the meters are honest, so nothing but the records betrays it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from homeassistant.core import HomeAssistant

from demo.cable_remote import CableRemote
from demo.cloud import Operator
from tests.hostile import HostileHost, dropping, moved_wh, rehoming, replaying, scaling

from .cable_programs import CablePrograms
from .cables import GIVES_W, Home, home, judged, register, until_cable, until_judged
from .conftest import INTERVAL_SECONDS, Cloud, until
from .stores import rows_of
from .test_bad_days import assert_sums_hold

PERCENT = 300
OWNERS = {"drops": "anna", "scales": "ben", "replays": "sun", "rehomes": "anna"}


async def test_a_host_who_changes_what_a_cable_signed_is_caught_whatever_the_trick(
    hass: HomeAssistant, cloud: Cloud, dora: Operator, cables: CablePrograms
) -> None:
    """Nothing a host makes up is paid or believed, and what one kept back is delivered by the next."""
    async with AsyncExitStack() as stack:
        homes = {
            trick: await stack.enter_async_context(home(hass, cloud, trick, owner=owner))
            for trick, owner in OWNERS.items()
        }
        started = await asyncio.gather(*(cables.start(f"CWC-{trick}") for trick in homes))
        visitors: dict[str, CableRemote] = dict(zip(homes, started, strict=True))
        for trick, host in homes.items():
            cable = visitors[trick]
            await register(dora, cable)
            await host.plug_in(cable)
            await host.add_cable(cable)
        for trick, host in homes.items():
            await until_cable(visitors[trick], "it may not", permission="allowed", site=host.site)
        hosts = {trick: hostile(homes[trick], trick, homes) for trick in homes}
        for cable in visitors.values():
            await cable.order("steer", set_point_w=-GIVES_W)
        for trick, caught in CAUGHT.items():
            await until(partial(caught_so, cloud, homes[trick], caught), f"who {trick} is not caught")
        assert hosts["replays"].seen
        for host in homes.values():
            paid = [row for row in judged(cloud, host.site) if row["energy_wh"] and row["state"] == "final"]
            assert paid == [], "nobody is paid for what a host made of it"
        hosts["rehomes"].repent()
        await move(visitors["drops"], homes["drops"], homes["rehomes"])
        await until_judged(cloud, homes["drops"].site, "what was kept back did not come", cause="none")
        assert_sums_hold(await cloud.operator.proof())


async def move(cable: CableRemote, here: Home, there: Home) -> None:
    """Pull a cable out at one home and plug it in at another."""
    await here.pull_out(cable)
    await there.plug_in(cable)
    await there.meet(cable, here)


def hostile(host: Home, trick: str, homes: Mapping[str, Home]) -> HostileHost:
    """Let a host begin with its trick."""
    outbox = host.entry.runtime_data.store.outbox
    match trick:
        case "drops":
            return HostileHost(outbox, dropping)
        case "scales":
            return HostileHost(outbox, scaling(PERCENT))
        case "rehomes":
            return HostileHost(outbox, rehoming(homes["drops"].site))
    return replayer(outbox)


def replayer(outbox: Any) -> HostileHost:
    """Hand on what came first, again and again, in place of what comes."""
    host = HostileHost(outbox, lambda texts: texts)

    def trick(texts: Any) -> Any:
        first = next((text for text in host.seen if moved_wh(text)), None)
        return texts if first is None else replaying([first])(texts)

    host.trick = trick
    return host


def findings(cloud: Cloud, host: Home) -> set[str]:
    """Return what the cloud has found wrong about the records that a site handed on."""
    rows = rows_of(cloud.database, "SELECT kind FROM record_finding WHERE site = ?", host.site)
    return {row["kind"] for row in rows}


def verdicts(cloud: Cloud, host: Home) -> set[str]:
    """Return how the periods were judged in which a site reported energy."""
    return {row["cause"] for row in judged(cloud, host.site) if abs(row["claimed_wh"]) > 2 * INTERVAL_SECONDS}


CAUGHT: Mapping[str, Callable[[set[str], set[str]], bool]] = {
    "drops": lambda found, causes: bool(causes & {"gap", "unsigned"}),
    "scales": lambda found, causes: "forged" in found and bool(causes & {"gap", "unsigned"}),
    "replays": lambda found, causes: bool(causes & {"gap", "unsigned"}),
    "rehomes": lambda found, causes: "forged" in found and bool(causes & {"gap", "unsigned"}),
}


async def caught_so(cloud: Cloud, host: Home, caught: Callable[[set[str], set[str]], bool]) -> bool | None:
    """Tell whether a host is caught."""
    return caught(findings(cloud, host), verdicts(cloud, host)) or None
